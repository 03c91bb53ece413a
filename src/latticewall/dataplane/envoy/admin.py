"""What Envoy is asked and told on its administration socket: the health of targets, to open its logs anew."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Collection
from typing import Any
from urllib.parse import quote

TIMEOUT = 5.0


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


def target_health(admin_socket: str) -> dict[tuple[str, str, int], bool]:
    """(cluster, address, port) -> healthy, for the targets of clusters with health checks once their first check has run. Raises OSError."""
    found: dict[tuple[str, str, int], bool] = {}
    for cluster in _get(admin_socket, "/clusters?format=json").get("cluster_statuses", []):
        for host in cluster.get("host_statuses", []):
            address = host["address"].get("socket_address", {})
            health = host.get("health_status", {})
            if "address" in address and not health.get("pending_active_hc"):
                found[(cluster["name"], address["address"], address["port_value"])] = not health.get("failed_active_health_check", False)
    return found


def counters(admin_socket: str, names: Collection[str], of_hosts: Collection[str]) -> list[tuple[str, str, str, int]]:
    """(cluster, address of a target or "", name, value) of counters and gauges, of whole clusters and of their targets. Raises OSError."""
    found = []
    for cluster in _get(admin_socket, "/clusters?format=json").get("cluster_statuses", []):
        for host in cluster.get("host_statuses", []):
            address = host["address"].get("socket_address", {}).get("address", "")
            known = (stat for stat in host.get("stats", []) if stat["name"] in of_hosts and address)
            found += [(cluster["name"], address, stat["name"], int(stat.get("value", 0))) for stat in known]
    wanted = "|".join(name.replace(".", "[.]") for name in names)
    answer = _get(admin_socket, f"/stats?format=json&filter={quote(f'^cluster[.].*[.]({wanted})$')}")
    for stat in answer.get("stats", []):
        name = str(stat.get("name", "")).removeprefix("cluster.")
        ending = next((ending for ending in names if name.endswith("." + ending)), "")
        if ending:
            found.append((name.removesuffix("." + ending), "", ending, int(stat.get("value", 0))))
    return found


def reopen_logs(admin_socket: str) -> None:
    """Have its access log opened anew, after the file was renamed. Raises OSError."""
    _exchange(admin_socket, "POST", "/reopen_logs")


def _get(admin_socket: str, path: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(_exchange(admin_socket, "GET", path))
    except ValueError as error:
        raise OSError(f"envoy's administration socket gave no sensible answer: {error}") from error
    return answer


def _exchange(admin_socket: str, method: str, path: str) -> bytes:
    connection = _UnixConnection(admin_socket)
    try:
        connection.request(method, path)
        return connection.getresponse().read()
    except http.client.HTTPException as error:
        raise OSError(f"envoy's administration socket gave no sensible answer: {error}") from error
    finally:
        connection.close()
