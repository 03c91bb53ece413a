"""The real kernel: ip, nft and iptables-nft as text, run inside the namespace (docs/decisions/0005-ip-and-nft-as-text.md)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from latticewall.compile.render.network import NetworkState
from latticewall.compile.render.nft import TABLE
from latticewall.dataplane.ip_json import SHOW, SHOW_IPV6, parse_state
from latticewall.dataplane.kernel import BASE, KernelError, LineError
from latticewall.dataplane.namespaces import Namespaces

_SECONDS = 30
"""How long a tool may take: all of them are done in milliseconds, unless the machine is stuck."""
_SYSCTL_FOLDER = Path("/proc/sys/net")
_FAMILY = "-6 "
"""How a line begins that is for IPv6 though nothing else in it says so."""
_NO_IPV6 = "ipv6/conf/all/disable_ipv6"
_FAILED_LINE = re.compile(r"Command failed -:(\d+)")


class LinuxKernel:
    """Network namespaces whose files lie in `folder`, on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self._namespaces = Namespaces(folder)

    def namespaces(self) -> frozenset[str]:
        return self._namespaces.names()

    def create_namespace(self, name: str) -> None:
        self._namespaces.create(name)

    def delete_namespace(self, name: str) -> None:
        self._namespaces.delete(name)

    def network(self, namespace: str) -> NetworkState:
        both = self._run(namespace, ["ip", "-d", "-j", "-batch", "-"], "\n".join((*SHOW, "")))
        if self.sysctls(namespace, (_NO_IPV6,)).get(_NO_IPV6) != "0":
            return parse_state(both)
        return parse_state(both, self._run(namespace, ["ip", "-6", "-d", "-j", "-batch", "-"], "\n".join((*SHOW_IPV6, ""))))

    def ip(self, namespace: str, lines: Sequence[str]) -> tuple[LineError, ...]:
        """The lines of IPv6's rules first, which need nothing that the others make: a batch is of one family."""
        ipv6 = [line for line in lines if line.startswith(_FAMILY)]
        failed = self._batch(namespace, [line.removeprefix(_FAMILY) for line in ipv6], "-6") if ipv6 else ()
        return *failed, *self._batch(namespace, [line for line in lines if not line.startswith(_FAMILY)])

    def _batch(self, namespace: str, lines: Sequence[str], *options: str) -> tuple[LineError, ...]:
        done = self._finish(namespace, ["ip", *options, "-force", "-batch", "-"], "\n".join((*lines, "")))
        failed: list[LineError] = []
        words: list[str] = []
        for line in done.stderr.splitlines():
            if found := _FAILED_LINE.match(line):
                failed.append(LineError(lines[int(found[1]) - 1], "; ".join(words) or "failed"))
                words = []
            else:
                words.append(line.strip())
        if done.returncode and not failed:
            failed.append(LineError("", "; ".join(words) or f"ip ended with {done.returncode}"))
        return tuple(failed)

    def sysctls(self, namespace: str, keys: Iterable[str]) -> dict[str, str]:
        wanted = tuple(keys)

        def read() -> dict[str, str]:
            found = {}
            for key in wanted:
                try:
                    found[key] = (_SYSCTL_FOLDER / key).read_text().strip()
                except FileNotFoundError:
                    continue
            return found

        return self._namespaces.inside(namespace, read)

    def set_sysctls(self, namespace: str, values: Mapping[str, str]) -> None:
        def write() -> None:
            for key, value in values.items():
                try:
                    (_SYSCTL_FOLDER / key).write_text(value)
                except OSError as error:
                    raise KernelError(f"sysctl net/{key} = {value}: {error.strerror}") from None

        self._namespaces.inside(namespace, write)

    def nft_table(self, namespace: str) -> str:
        done = self._finish(namespace, ["nft", "-s", "list", "table", *TABLE.split()])
        if done.returncode and "No such file or directory" not in done.stderr:
            raise KernelError(f"nft list: {done.stderr.strip()}")
        return done.stdout

    def nft(self, namespace: str, script: str) -> None:
        self._run(namespace, ["nft", "-f", "-"], script)

    def counters(self, namespace: str) -> dict[str, tuple[int, int]]:
        done = self._finish(namespace, ["nft", "-j", "list", "counters", "table", *TABLE.split()])
        if done.returncode:
            return {}
        found = (item["counter"] for item in json.loads(done.stdout)["nftables"] if "counter" in item)
        return {item["name"]: (item["packets"], item["bytes"]) for item in found}

    def queue_rules(self, namespace: str) -> tuple[str, ...]:
        done = self._finish(namespace, ["iptables-nft", "-t", "mangle", "-S", "FORWARD"])
        return tuple(line for line in done.stdout.splitlines() if line.startswith("-A"))

    def restore_queue(self, namespace: str, table: str) -> None:
        self._run(namespace, ["iptables-nft-restore"], table)

    def _run(self, namespace: str, argv: Sequence[str], text: str = "") -> str:
        done = self._finish(namespace, argv, text)
        if done.returncode:
            raise KernelError(f"{argv[0]}: {done.stderr.strip() or f'ended with {done.returncode}'}")
        return done.stdout

    def _finish(self, namespace: str, argv: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
        def act() -> subprocess.CompletedProcess[str]:
            return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False)

        try:
            return self._namespaces.inside(namespace or BASE, act)
        except FileNotFoundError:
            raise KernelError(f"{argv[0]} is not installed") from None
        except subprocess.TimeoutExpired:
            raise KernelError(f"{argv[0]} did not end within {_SECONDS} s") from None
