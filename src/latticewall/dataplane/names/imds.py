"""What answers on 169.254.169.254 and fd00:ec2::254, port 80, of one VPC."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from latticewall.dataplane.names import metadata, request
from latticewall.dataplane.names.connections import Bounds
from latticewall.dataplane.names.metadata import MetadataTree
from latticewall.dataplane.names.rate import RateBound
from latticewall.plan.names import MetadataInstance

REQUESTS_PER_SECOND = 1024
HTTP_BOUNDS = Bounds(total=256, per_source=32, seconds=5)


@dataclass(frozen=True)
class Served:
    """The instances of one VPC by source address, and the key their tokens are signed with."""

    instances: Mapping[str, tuple[MetadataInstance, MetadataTree]] = field(default_factory=dict)
    token_key: bytes = field(default=b"", repr=False)


class MetadataState:
    """served: replaced on reload. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.served = Served()
        self._rate = RateBound(REQUESTS_PER_SECOND, clock)
        self._clock = clock

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: str) -> bool:
        """One request on a connection. Only its head is read; whatever announces a body is refused and the connection ends."""
        head = await reader.readuntil(b"\r\n\r\n")
        known = self.served.instances.get(source)
        if known is not None and head.startswith(b"PUT "):
            _limit_hops(writer, known[0].hop_limit)
        try:
            parsed = request.parse(head)
        except request.BadRequest:
            writer.write(metadata.refusal(400).encode(head_only=False, keep_alive=False))
            return False
        proceed = parsed.keep_alive and not parsed.body_bytes
        writer.write(self._respond(parsed, source).encode(head_only=parsed.method == "HEAD", keep_alive=proceed))
        return proceed

    def _respond(self, parsed: request.Request, source: str) -> metadata.Response:
        known = self.served.instances.get(source)
        if known is None:
            return metadata.refusal(404)  # no instance has this address: nothing is known about it
        if not self._rate.allows(source):
            return metadata.refusal(503)
        return metadata.respond(parsed, *known, self.served.token_key, self._clock())


def _limit_hops(writer: asyncio.StreamWriter, hops: int) -> None:
    """HttpPutResponseHopLimit: how far the answer to a PUT may travel.

    It holds for the rest of the connection, so that an answer which is sent again after a later request goes no further.
    """
    connection = writer.get_extra_info("socket")
    if connection.family == socket.AF_INET6:
        connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
    else:
        connection.setsockopt(socket.SOL_IP, socket.IP_TTL, hops)
