"""Who is who inside the gateway: every client, and every address it uses inside its tunnel, stands for one address of the zone's block.

Two clients with the same inner address are two addresses there. What stands for whom outlives the engine (a file that grows by lines, shortened when it is
read), so that connections go on when it is killed and nobody gets what another asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import islice
from pathlib import Path
from typing import NamedTuple

Address = IPv4Address | IPv6Address
IDLE_SECONDS = 350.0
"""After which an address may stand for somebody else ("TCP idle timeout": 350 seconds)."""
MOST = 1022
"""Addresses of a block that are used; an IPv6 block is no larger."""
MOST_OF_ONE = 64
"""Inner addresses of one client, so that none can take all of them."""


class Client(NamedTuple):
    """outer: where the encapsulated packets come from. inner: the source inside."""

    outer: str
    inner: bytes


class NoRoom(Exception):
    """All addresses stand for somebody."""


class Clients:
    """The clients of one zone and family. clock: monotonic seconds."""

    def __init__(self, block: IPv4Network | IPv6Network, file: Path, clock: Callable[[], float]) -> None:
        """Raises OSError when the file cannot be read or written."""
        self._clock = clock
        self._free = [block[number] for number in range(min(MOST, block.num_addresses - 2), 0, -1)]
        self._address: dict[Client, Address] = {}
        self._client: dict[bytes, Client] = {}
        self._used: dict[Client, float] = {}
        for line in file.read_text().rpartition("\n")[0].splitlines() if file.exists() else ():
            self._read(line)
        self._free = [address for address in self._free if address.packed not in self._client]
        draft = file.with_name(file.name + ".draft")
        draft.write_text("".join(self._line(client) for client in self._address))
        draft.replace(file)
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def address_of(self, client: Client) -> Address:
        """What the client stands for; a new one gets an address. Raises NoRoom."""
        found = self._address.get(client)
        if found is None:
            found = self._take(client)
        self._used[client] = self._clock()
        return found

    def client_at(self, address: bytes) -> Client | None:
        """Who an address stands for."""
        client = self._client.get(address)
        if client is not None:
            self._used[client] = self._clock()
        return client

    def _take(self, client: Client) -> Address:
        of_one = list(islice((other for other in self._address if other.outer == client.outer), MOST_OF_ONE))
        if len(of_one) == MOST_OF_ONE:
            self._drop_idle(of_one)
        elif not self._free:
            self._drop_idle(list(self._address))
        address = self._free.pop()
        self._keep(client, address)
        os.write(self._file, self._line(client).encode())
        return address

    def _drop_idle(self, among: list[Client]) -> None:
        """Give back the address of whoever has been silent for longest, if that is long enough."""
        oldest = min(among, key=lambda client: self._used[client])
        if self._clock() - self._used[oldest] < IDLE_SECONDS:
            raise NoRoom("all addresses are in use")
        address = self._address.pop(oldest)
        del self._client[address.packed], self._used[oldest]
        self._free.append(address)

    def _keep(self, client: Client, address: Address) -> None:
        self._address[client], self._client[address.packed], self._used[client] = address, client, self._clock()

    def _line(self, client: Client) -> str:
        return f"{self._address[client]} {client.outer} {ip_address(client.inner)}\n"

    def _read(self, line: str) -> None:
        """The last line about an address counts; one that was not written whole says nothing."""
        try:
            address, outer, inner = line.split(" ")
            client, stands_for = Client(outer, ip_address(inner).packed), ip_address(address)
        except ValueError:
            return
        if stands_for not in self._free:
            return
        former = self._client.pop(stands_for.packed, None)
        if former is not None:
            del self._address[former], self._used[former]
        if client in self._address:
            del self._client[self._address[client].packed]
        self._keep(client, stands_for)
