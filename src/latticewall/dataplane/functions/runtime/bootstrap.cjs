// The Node.js runtime: loads the handler and calls it for one event after the other. Node's own modules only; runs inside a function's environment.
// Pages followed: "Define Lambda function handler in Node.js", "Using the Lambda context object to retrieve Node.js function information".
// What it says to the outside is described in frames.py.
"use strict";
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const util = require("node:util");
const { pathToFileURL } = require("node:url");

const HEAD = 9;
const LARGEST_RESPONSE = 6 * 1024 * 1024 + 100;
const channel = new net.Socket({ fd: 3, readable: true, writable: true });
let requestId = "";

for (const [name, level] of [["log", "INFO"], ["info", "INFO"], ["warn", "WARN"], ["error", "ERROR"], ["debug", "DEBUG"], ["trace", "TRACE"]]) {
  console[name] = (...words) => write(level, util.format(...words));
}

function write(level, text) {
  const line = `${new Date().toISOString()}\t${requestId || "undefined"}\t${level}\t${text}`;
  fs.writeSync(1, line.replaceAll("\n", "\r") + "\n");
}

function send(kind, header, payload, done) {
  const head = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(HEAD);
  start.write(kind, 0, "latin1");
  start.writeUInt32BE(head.length, 1);
  start.writeUInt32BE(payload.length, 5);
  channel.write(Buffer.concat([start, head, payload]), done);
}

function failure(error, kind) {
  if (!(error instanceof Error)) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  return { errorType: kind || error.name || "Error", errorMessage: error.message, trace: (error.stack || "").split("\n") };
}

function fail(kind, document) {
  write("ERROR", (kind === "F" ? "Uncaught Exception \t" : "Invoke Error \t") + JSON.stringify(document));
  send(kind, kind === "F" ? {} : { id: requestId }, Buffer.from(JSON.stringify(document)), kind === "F" ? () => process.exit(1) : undefined);
}

async function load() {
  const name = process.env._HANDLER;
  const found = /^(.*?)([^./]+)\.(.+)$/.exec(name);
  if (!found) {
    throw Object.assign(new Error(`Bad handler ${name}`), { name: "Runtime.MalformedHandlerName" });
  }
  const base = path.resolve("/var/task", found[1], found[2]);
  const file = ["", ".js", ".mjs", ".cjs"].map((end) => base + end).find((one) => fs.existsSync(one) && fs.statSync(one).isFile());
  if (!file) {
    throw Object.assign(new Error(`Cannot find module '${path.join(found[1], found[2])}'`), { name: "Runtime.ImportModuleError" });
  }
  let module_;
  try {
    module_ = file.endsWith(".mjs") ? await import(pathToFileURL(file).href) : require(file);
  } catch (error) {
    if (error && error.code === "ERR_REQUIRE_ESM") {
      module_ = await import(pathToFileURL(file).href);
    } else if (error instanceof SyntaxError && /import statement|Unexpected token 'export'/.test(error.message)) {
      module_ = await import(pathToFileURL(file).href);
    } else {
      if (error instanceof SyntaxError) error.name = "Runtime.UserCodeSyntaxError";
      if (error && error.code === "MODULE_NOT_FOUND") error.name = "Runtime.ImportModuleError";
      throw error;
    }
  }
  const handler = found[3].split(".").reduce((value, part) => (value === undefined ? undefined : value[part]), module_);
  if (typeof handler !== "function") {
    throw Object.assign(new Error(`${name} is undefined or not exported`), { name: "Runtime.HandlerNotFound" });
  }
  return handler;
}

function contextOf(header, settle) {
  const env = process.env;
  return {
    callbackWaitsForEmptyEventLoop: true,
    awsRequestId: header.id,
    invokedFunctionArn: header.arn,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: header.client_context || undefined,
    identity: undefined,
    getRemainingTimeInMillis: () => Math.max(0, header.deadline_ms - Date.now()),
    succeed: (value) => settle(null, value),
    fail: (error) => settle(error || new Error("handled")),
    done: (error, value) => settle(error, value),
  };
}

function call(handler, event, header) {
  return new Promise((resolve, reject) => {
    const settle = (error, value) => (error ? reject(error) : resolve(value));
    const answer = handler(event, contextOf(header, settle), settle);
    if (answer && typeof answer.then === "function") {
      answer.then(resolve, reject);
    } else if (handler.length < 3 && answer !== undefined) {
      resolve(answer);
    } else if (handler.length < 2) {
      resolve(answer);
    }
  });
}

async function invoke(handler, header, payload) {
  requestId = header.id;
  let value;
  try {
    value = await call(handler, JSON.parse(payload.toString() || "{}"), header);
  } catch (error) {
    return fail("E", failure(error));
  }
  let answer;
  try {
    answer = Buffer.from(value === undefined ? "null" : JSON.stringify(value));
  } catch (error) {
    return fail("E", failure(error, "Runtime.MarshalError"));
  }
  if (answer.length > LARGEST_RESPONSE) {
    const errorMessage = `Response payload size exceeded maximum allowed payload size (${LARGEST_RESPONSE} bytes).`;
    return fail("E", { errorType: "Function.ResponseSizeTooLarge", errorMessage });
  }
  send("R", { id: header.id }, answer);
}

function serve(handler) {
  let received = Buffer.alloc(0);
  channel.on("data", (part) => {
    received = Buffer.concat([received, part]);
    if (received.length < HEAD) return;
    const headerSize = received.readUInt32BE(1);
    const size = received.readUInt32BE(5);
    if (received.length < HEAD + headerSize + size) return;
    const header = JSON.parse(received.subarray(HEAD, HEAD + headerSize).toString());
    const payload = received.subarray(HEAD + headerSize, HEAD + headerSize + size);
    received = received.subarray(HEAD + headerSize + size);
    invoke(handler, header, payload);
  });
  channel.on("end", () => process.exit(0));
  send("N", {}, Buffer.alloc(0));
}

for (const event of ["uncaughtException", "unhandledRejection"]) {
  process.on(event, (error) => {
    const kind = event === "unhandledRejection" ? "Runtime.UnhandledPromiseRejection" : "";
    const document = failure(error, kind);
    write("ERROR", "Uncaught Exception \t" + JSON.stringify(document));
    send(requestId ? "E" : "F", requestId ? { id: requestId, last: true } : {}, Buffer.from(JSON.stringify(document)), () => process.exit(129));
  });
}
load().then(serve, (error) => fail("F", failure(error)));
