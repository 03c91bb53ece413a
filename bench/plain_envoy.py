"""The peer: an Envoy that only proxies, with its sockets in the very namespaces where the region's own Envoy has them, and as many workers."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.architecture import ADDRESSES, TARGET_PORT, Architecture
from bench.region import Region, until
from latticewall.control_plane.appliers import envoy_program
from latticewall.dataplane.envoy.applier import MOST_WORKERS

PORT = 8081
_SOURCE = "169.254.171.2"
_NETNS = "/run/latticewall/netns"
_QUIET = ("--log-level", "error", "--disable-hot-restart")


@dataclass(frozen=True)
class PlainEnvoy:
    """pid, and seconds from its start until it answered."""

    pid: int
    started_in: float

    @property
    def url(self) -> str:
        return f"http://{ADDRESSES['plain-client']}:{PORT}/"


def upstream_script(workers: int = 1) -> str:
    """User data that runs the fastest HTTP server that is surely there: an Envoy which answers by itself, beside iperf3 where it is installed."""
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "yes\n"}}}
    text = json.dumps({"static_resources": {"listeners": [_listener("0.0.0.0", TARGET_PORT, "", answer)]}})
    words = (envoy_program(), "--config-yaml", f"'{text}'", "--concurrency", str(workers), *_QUIET)
    return f"#!/bin/sh\niperf3 -s -D >/dev/null 2>&1\nexec {' '.join(words)}\n"


@contextmanager
def plain_envoy(region: Region, built: Architecture, client: str) -> Iterator[PlainEnvoy]:
    """Runs beside the region's Envoy. It listens on a neighbour's address, because the region's own address is taken."""
    neighbour = f"{_NETNS}/{built.instances['plain-client']}"
    route = {"match": {"prefix": "/"}, "route": {"cluster": "server"}}
    configuration = {"static_resources": {"listeners": [_listener(ADDRESSES["plain-client"], PORT, neighbour, route)], "clusters": [_cluster(built)]}}
    workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    enter = ("nsenter", f"--target={region.holder}", "--user", "--mount", "--net", "--preserve-credentials")
    command = [*enter, envoy_program(), "--config-yaml", json.dumps(configuration), "--concurrency", str(workers), *_QUIET]
    started = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        found = PlainEnvoy(process.pid, 0.0)
        until(lambda: region.run(client, "curl", "-sf", "-m", "1", "-o", "/dev/null", found.url).returncode == 0)
        yield PlainEnvoy(process.pid, time.monotonic() - started)
    finally:
        process.kill()
        process.communicate()


def _listener(address: str, port: int, namespace: str, route: dict[str, Any]) -> dict[str, Any]:
    socket: dict[str, Any] = {"address": address, "port_value": port}
    if namespace:
        socket["network_namespace_filepath"] = namespace
    router = {"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
    http = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "plain", "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }  # fmt: skip
    return {"name": "plain", "address": {"socket_address": socket}, "filter_chains": [{"filters": [{"name": "http", "typed_config": http}]}]}


def _cluster(built: Architecture) -> dict[str, Any]:
    source = {"address": _SOURCE, "port_value": 0, "network_namespace_filepath": f"{_NETNS}/{built.vpcs['servers']}"}
    endpoint = {"endpoint": {"address": {"socket_address": {"address": ADDRESSES["server"], "port_value": TARGET_PORT}}}}
    return {
        "name": "server", "type": "STATIC", "connect_timeout": "5s", "upstream_bind_config": {"source_address": source},
        "load_assignment": {"cluster_name": "server", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }  # fmt: skip
