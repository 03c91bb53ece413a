"""What the appliers need from a kernel: text in, text and values out. `linux` is the real one, `fake` one that only keeps the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from latticewall.compile.render.network import NetworkState

BASE = ""
"""The region's own network namespace."""


class KernelError(Exception):
    """The kernel or a tool refused; the message is the tool's own words."""


@dataclass(frozen=True)
class LineError:
    """A line of an ip batch that failed, and why."""

    line: str
    message: str


class Kernel(Protocol):
    """One machine. Namespaces are named as in the plan. Everything but `ip` raises KernelError."""

    folder: str
    """Absolute path of the folder of the namespaces' files, as `ip` may name them."""

    def namespaces(self) -> frozenset[str]:
        """Our network namespaces."""

    def create_namespace(self, name: str) -> None: ...

    def delete_namespace(self, name: str) -> None:
        """Forget the namespace; it ends when nothing runs in it any more. No error when there is none."""

    def network(self, namespace: str) -> NetworkState: ...

    def ip(self, namespace: str, lines: Sequence[str]) -> tuple[LineError, ...]:
        """Run an ip batch to its end; the lines that failed."""

    def sysctls(self, namespace: str, keys: Iterable[str]) -> dict[str, str]:
        """Current values; keys that do not exist are left out."""

    def set_sysctls(self, namespace: str, values: Mapping[str, str]) -> None: ...

    def nft_table(self, namespace: str) -> str:
        """Our table as nft lists it, without counts; "" when there is none."""

    def nft(self, namespace: str, script: str) -> None:
        """Run a script as one transaction."""

    def counters(self, namespace: str) -> dict[str, tuple[int, int]]:
        """Named counters of our table: name -> (packets, bytes)."""

    def queue_rules(self, namespace: str) -> tuple[str, ...]:
        """The rules of chain FORWARD in table mangle, as iptables prints them."""

    def restore_queue(self, namespace: str, table: str) -> None:
        """Replace table mangle by this text for iptables-restore."""
