"""The Python runtime: imports the handler and calls it for one event after the other. Standard library only; runs inside a function's environment.

Pages followed: "Define Lambda function handler in Python", "Using the Lambda context object to retrieve Python function information", "Log and monitor
Python Lambda functions". What it says to the outside is described in `frames.py`.
"""

import importlib
import json
import logging
import os
import socket
import struct
import sys
import time
import traceback
from typing import Any, Callable, Dict, Optional, Tuple

HEAD = struct.Struct(">cII")
LARGEST_RESPONSE = 6 * 1024 * 1024 + 100
channel = socket.socket(fileno=3)


class Identity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class Client:
    """What a mobile client says about itself."""

    def __init__(self, client: Dict[str, Any]) -> None:
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, client.get(name))


class ClientContext:
    def __init__(self, given: Dict[str, Any]) -> None:
        self.custom = given.get("custom")
        self.env = given.get("env")
        self.client = Client(given.get("client") or {})


class Context:
    """The handler's second argument."""

    def __init__(self, header: Dict[str, Any]) -> None:
        self.aws_request_id = header["id"]
        self.invoked_function_arn = header["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = Identity()
        self.client_context = ClientContext(header["client_context"]) if header.get("client_context") else None
        self._deadline = header["deadline_ms"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self._deadline - time.time() * 1000))

    def log(self, message: object) -> None:
        sys.stdout.write(str(message))


class LogHandler(logging.Handler):
    """Log records as AWS's runtime writes them."""

    request_id = ""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stdout.write(self.format(record))
        sys.stdout.flush()

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = LogHandler.request_id
        return True


def send(kind: str, header: Dict[str, Any], payload: bytes) -> None:
    head = json.dumps(header).encode()
    channel.sendall(HEAD.pack(kind.encode(), len(head), len(payload)) + head + payload)


def receive(size: int) -> bytes:
    parts = []
    while size:
        part = channel.recv(min(size, 1 << 20))
        if not part:
            sys.exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def failure(error: object, request_id: str, kind: str = "", trace: Optional[traceback.StackSummary] = None) -> Dict[str, Any]:
    """An error as the API's Payload shows it."""
    lines = traceback.format_list(trace) if trace is not None else []
    return {"errorMessage": str(error), "errorType": kind or type(error).__name__, "requestId": request_id, "stackTrace": lines}


def report(document: Dict[str, Any]) -> None:
    """The error in the function's log, as AWS's runtime writes it."""
    text = f"[ERROR] {document['errorType']}: {document['errorMessage']}"
    if document["stackTrace"]:
        text += "\nTraceback (most recent call last):\n" + "".join(document["stackTrace"])
    sys.stdout.write(text.rstrip("\n").replace("\n", "\r") + "\n")
    sys.stdout.flush()


def find_handler() -> Tuple[Optional[Callable[[Any, Any], Any]], Optional[Dict[str, Any]]]:
    """The function that `_HANDLER` names. Answers (handler, None) or (None, error)."""
    name = os.environ["_HANDLER"]
    module, _, function = name.rpartition(".")
    if not module:
        return None, failure(f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)", "", "Runtime.MalformedHandlerName")
    try:
        found = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        return None, failure(f"Unable to import module '{module}': {error}", "", "Runtime.ImportModuleError")
    except SyntaxError as error:
        return None, failure(f"Syntax error in module '{module}': {error}", "", "Runtime.UserCodeSyntaxError")
    except BaseException as error:
        trace = traceback.StackSummary.from_list([frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("/var/task")])
        return None, failure(error, "", trace=trace)
    if not hasattr(found, function):
        return None, failure(f"Handler '{function}' missing on module '{module}'", "", "Runtime.HandlerNotFound")
    return getattr(found, function), None


def invoke(handler: Callable[[Any, Any], Any], header: Dict[str, Any], payload: bytes) -> Tuple[str, Any]:
    """One event. Answers (kind, payload) of the frame to send."""
    request_id = LogHandler.request_id = header["id"]
    try:
        try:
            event = json.loads(payload or b"{}")
        except ValueError as error:
            return "E", failure(f"Unable to unmarshal input: {error}", request_id, "Runtime.UnmarshalError")
        result = handler(event, Context(header))
    except Exception as error:
        trace = traceback.StackSummary.from_list(traceback.extract_tb(error.__traceback__)[1:])
        return "E", failure(error, request_id, trace=trace)
    try:
        answer = json.dumps(result, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError) as error:
        return "E", failure(f"Unable to marshal response: {error}", request_id, "Runtime.MarshalError")
    if len(answer) > LARGEST_RESPONSE:
        message = f"Response payload size exceeded maximum allowed payload size ({LARGEST_RESPONSE} bytes)."
        return "E", {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
    return "R", answer


def main() -> None:
    os.set_inheritable(3, False)  # noqa: FBT003 - takes no keyword
    sys.path[:1] = ["/var/task", "/opt/python", "/var/runtime"]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    output = LogHandler()
    form = logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S")
    form.converter = time.gmtime
    output.setFormatter(form)
    logging.getLogger().addHandler(output)
    handler, error = find_handler()
    if error or handler is None:
        error = error or {}
        report(error)
        send("F", {}, json.dumps(error).encode())
        sys.exit(1)
    send("N", {}, b"")
    while True:
        _, header_size, size = HEAD.unpack(receive(HEAD.size))
        header = json.loads(receive(header_size))
        kind, answer = invoke(handler, header, receive(size))
        if kind == "E":
            if "stackTrace" in answer:
                report(answer)
            answer = json.dumps(answer).encode()
        sys.stdout.flush()
        sys.stderr.flush()
        send(kind, {"id": header["id"]}, answer)


main()
