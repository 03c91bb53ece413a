"""The authorizer as a process: Envoy's external authorization API (and a small status call) on a unix socket, decisions from one file.

The file is looked at before every decision, so a change takes effect with the next request. Without a readable file everything is refused.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import external_auth_pb2
from envoy.type.v3 import http_status_pb2
from google.protobuf import struct_pb2
from google.rpc import status_pb2

from latticewall.auth.canonical import Head
from latticewall.dataplane.authorizer import config
from latticewall.dataplane.authorizer.decisions import Answer, Authorizer, Inquiry, PolicyAuthorizer

CHECK_SERVICE = "envoy.service.auth.v3.Authorization"
STATUS_SERVICE = "latticewall.Authorizer"
STATUS_METHOD = f"/{STATUS_SERVICE}/Applied"
PERMISSION_DENIED = 7
NO_PLAN = Answer(403, "AccessDeniedException: the authorizer has no readable configuration", facts={"resolvedUser": "Unknown"})

log = logging.getLogger(__name__)


class ConfiguredAuthorizer:
    """The authorizer of the file's current content."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._authorizer: Authorizer | None = None
        self.digest = ""

    def decide(self, inquiry: Inquiry, now: datetime) -> Answer:
        self.refresh()
        return self._authorizer.decide(inquiry, now) if self._authorizer is not None else NO_PLAN

    def refresh(self) -> None:
        """Read the file again if it is not the one last read."""
        try:
            found = os.stat(self._path)
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                self._read()
                self._seen = seen
        except (OSError, ValueError) as error:
            if self._authorizer is not None or self._seen is None:
                log.error("%s cannot be read, every request is refused: %s", self._path, error)
            self._authorizer, self.digest, self._seen = None, "", (0, 0, 0)

    def _read(self) -> None:
        text = self._path.read_text()
        self._authorizer = PolicyAuthorizer(config.load(text))
        self.digest = config.digest(text)
        log.info("configuration %s is in force", self.digest[:12])


def inquiry_of(message: Any) -> Inquiry:
    """A CheckRequest as an inquiry. Raw headers: one character per byte, as the signature's canonical form wants them."""
    attributes = message.attributes
    context = attributes.context_extensions
    headers = [(item.key, (item.raw_value or item.value.encode()).decode("latin-1")) for item in attributes.request.http.header_map.headers]
    pseudo = dict(headers)
    head = Head(pseudo.get(":method", ""), pseudo.get(":path", ""), tuple(item for item in headers if item[0] not in (":method", ":path", ":scheme")))
    return Inquiry(
        head=head,
        source_ip=attributes.source.address.socket_address.address,
        service_arn=context.get("service_arn", ""),
        service_network_arn=context.get("service_network_arn", ""),
        vpc_id=context.get("vpc_id", ""),
        port=int(context.get("port", "0")),
    )


def response_of(answer: Answer) -> Any:
    """An answer as a CheckResponse."""
    facts = struct_pb2.Struct()
    facts.update(answer.facts)
    if not answer.status:
        passed = external_auth_pb2.OkHttpResponse(headers=[_header(*item) for item in answer.headers])
        return external_auth_pb2.CheckResponse(status=status_pb2.Status(), ok_response=passed, dynamic_metadata=facts)
    refused = external_auth_pb2.DeniedHttpResponse(
        status=http_status_pb2.HttpStatus(code=answer.status), headers=[_header("content-type", "text/plain")], body=answer.body
    )
    return external_auth_pb2.CheckResponse(status=status_pb2.Status(code=PERMISSION_DENIED), denied_response=refused, dynamic_metadata=facts)


def _header(name: str, value: str) -> Any:
    return base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(key=name, value=value), append_action=base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    )


class AuthorizationService:
    """Answers Envoy. Whatever goes wrong with one request refuses that request."""

    def __init__(self, authorizer: ConfiguredAuthorizer, now: Callable[[], datetime]) -> None:
        self._authorizer = authorizer
        self._now = now

    async def check(self, message: Any, _context: Any) -> Any:
        try:
            answer = self._authorizer.decide(inquiry_of(message), self._now())
        except Exception:
            log.exception("a request could not be decided and is refused")
            answer = Answer(HTTPStatus.FORBIDDEN, facts={"resolvedUser": "Unknown"})
        return response_of(answer)

    async def applied(self, _message: bytes, _context: Any) -> bytes:
        """The digest of the configuration in force, after another look at the file."""
        self._authorizer.refresh()
        return self._authorizer.digest.encode()


async def serve(configuration: Path, socket: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    service = AuthorizationService(ConfiguredAuthorizer(configuration), lambda: datetime.now(UTC))
    server = grpc.aio.server()
    check = grpc.unary_unary_rpc_method_handler(
        service.check,
        request_deserializer=external_auth_pb2.CheckRequest.FromString,
        response_serializer=external_auth_pb2.CheckResponse.SerializeToString,
    )
    handlers = (
        grpc.method_handlers_generic_handler(CHECK_SERVICE, {"Check": check}),
        grpc.method_handlers_generic_handler(STATUS_SERVICE, {"Applied": grpc.unary_unary_rpc_method_handler(service.applied)}),
    )
    server.add_generic_rpc_handlers(handlers)
    server.add_insecure_port(f"unix:{socket}")
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await server.start()
    log.info("deciding from %s on %s", configuration, socket)
    await stopping.wait()
    await server.stop(grace=1.0)
