// Signs each request of a JSON array on standard input with the JavaScript SDK's signer, and prints what it would send.
// A request: method, host, path (as on the wire), query (an object), headers, escape (whether the path is encoded once more), presign, region, service, date (ISO 8601),
// credentials (accessKeyId, secretAccessKey, sessionToken).
const { Sha256 } = require("@aws-crypto/sha256-js");
const { SignatureV4 } = require("@smithy/signature-v4");

async function signed(request) {
  const signer = new SignatureV4({
    credentials: request.credentials,
    region: request.region,
    service: request.service,
    sha256: Sha256,
    uriEscapePath: request.escape,
  });
  const plain = {
    protocol: "http:",
    method: request.method,
    hostname: request.host,
    path: request.path,
    query: request.query,
    headers: { host: request.host, ...request.headers },
  };
  const { headers } = await signer.sign(plain, { signingDate: new Date(request.date) });
  return headers;
}

let text = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", async () => {
  process.stdout.write(JSON.stringify(await Promise.all(JSON.parse(text).map(signed))));
});
