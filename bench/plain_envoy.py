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

from bench.architecture import ADDRESSES, BULK_PORT, TARGET_PORT, Architecture
from bench.region import REGION, Region, until
from latticewall.compile.render import envoy_http, envoy_routes
from latticewall.compile.render.envoy_paths import EnvoyPaths
from latticewall.control_plane.appliers import envoy_program
from latticewall.dataplane.envoy.applier import MOST_WORKERS
from latticewall.plan.proxy import HttpListener, HttpRoute, RouteMatch, VirtualHost

PORT = 8081
TCP_PORT = 8083
"""Where it proxies TCP to the server's bulk port."""
ASKING_PORT = 8082
"""Where the service network's listener puts every request before an external authorizer: the fastest there is, an Envoy that answers 200 by itself."""
WORKERS = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
"""As many as the region's Envoy has."""
_SOURCE = "169.254.171.2"
_NETNS = "/run/latticewall/netns"
_AUTHORIZER = "/run/latticewall/bench-authorizer.sock"
_QUIET = ("--log-level", "error", "--disable-hot-restart")


@dataclass(frozen=True)
class PlainEnvoy:
    """pid, and seconds from its start until it answered."""

    pid: int
    started_in: float

    @property
    def url(self) -> str:
        return f"http://{ADDRESSES['plain-client']}:{PORT}/"

    @property
    def asking_url(self) -> str:
        return f"http://{ADDRESSES['plain-client']}:{ASKING_PORT}/"


def upstream_script(workers: int = 1) -> str:
    """User data that runs the fastest HTTP server that is surely there: an Envoy which answers by itself, beside iperf3 where it is installed."""
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "yes\n"}}}
    text = json.dumps({"static_resources": {"listeners": [listener("0.0.0.0", TARGET_PORT, "", answer)]}})
    words = (envoy_program(), "--config-yaml", f"'{text}'", "--concurrency", str(workers), *_QUIET)
    return f"#!/bin/sh\niperf3 -s -D >/dev/null 2>&1\nexec {' '.join(words)}\n"


def neighbour_of(built: Architecture) -> str:
    """The namespace of the client's neighbour, in which listeners beside the region's are."""
    return f"{_NETNS}/{built.instances['plain-client']}"


@contextmanager
def plain_envoy(region: Region, built: Architecture, client: str) -> Iterator[PlainEnvoy]:
    """Runs beside the region's Envoy. It listens on a neighbour's address, because the region's own address is taken."""
    neighbour = neighbour_of(built)
    route = {"match": {"prefix": "/"}, "route": {"cluster": "server"}}
    plain = listener(ADDRESSES["plain-client"], PORT, neighbour, route)
    asking = _asking_listener(region, built, neighbour)
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    authorizer = start(region, {"listeners": [listener(_AUTHORIZER, 0, "", answer)]}, 1)
    started = time.monotonic()
    clusters = [cluster(built), cluster(built, "bulk", BULK_PORT), _authorizer_cluster()]
    process = start(region, {"listeners": [plain, asking, _tcp_listener(neighbour)], "clusters": clusters}, WORKERS)
    try:
        found = PlainEnvoy(process.pid, 0.0)
        until(lambda: region.run(client, "curl", "-sf", "-m", "1", "-o", "/dev/null", found.url).returncode == 0)
        taken = time.monotonic() - started
        until(lambda: region.run(client, "curl", "-sf", "-m", "1", "-o", "/dev/null", found.asking_url).returncode == 0)
        yield PlainEnvoy(process.pid, taken)
    finally:
        for running in (process, authorizer):
            running.kill()
            running.communicate()


def start(region: Region, resources: dict[str, Any], workers: int, *options: str) -> subprocess.Popen[str]:
    """An Envoy in the region's namespaces."""
    enter = ("nsenter", f"--target={region.holder}", "--user", "--mount", "--net", "--preserve-credentials")
    text = json.dumps({"static_resources": resources})
    command = [*enter, envoy_program(), "--config-yaml", text, "--concurrency", str(workers), *options, *_QUIET]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def listener(address: str, port: int, namespace: str, route: dict[str, Any]) -> dict[str, Any]:
    socket: dict[str, Any] = {"address": address, "port_value": port}
    if namespace:
        socket["network_namespace_filepath"] = namespace
    router = {"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
    http = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "plain", "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }  # fmt: skip
    where = {"socket_address": socket} if port else {"pipe": {"path": address}}
    return {"name": f"plain-{port}", "address": where, "filter_chains": [{"filters": [{"name": "http", "typed_config": http}]}]}


def _asking_listener(region: Region, built: Architecture, neighbour: str) -> dict[str, Any]:
    """The service network's own listener with external authorization in place of the filters that decide."""
    document = region_listener(region, built, "asking", ASKING_PORT, neighbour)
    manager = connection_manager(document)
    deciding = (envoy_http.LUA, envoy_http.UNDECIDED)
    manager["http_filters"] = [_external_authorization(), *(item for item in manager["http_filters"] if item["name"] not in deciding)]
    for host in manager["route_config"]["virtual_hosts"]:
        del host["typed_per_filter_config"]
    return document


def region_listener(region: Region, built: Architecture, name: str, port: int, neighbour: str, *, authorization: str = "") -> dict[str, Any]:
    """The service network's own listener, as the region renders it, with routes of its own. authorization: the Lua that decides; "" for auth type NONE."""
    account = region.client("sts").get_caller_identity()["Account"]
    base = f"arn:aws:vpc-lattice:{REGION}:{account}"
    forward = HttpRoute(RouteMatch(), "rule", clusters=(("server", 100),), target_groups=(("server", f"{base}:targetgroup/tg-bench", built.vpcs["clients"]),))
    service, network = f"{base}:service/{built.service}", f"{base}:servicenetwork/{built.network}"
    host = VirtualHost(service, built.service, network, "listener", (built.api,), (forward,), authorize=bool(authorization))
    vpc = built.vpcs["clients"]
    plan = HttpListener(name, "", ADDRESSES["plain-client"], port, vpc, f"arn:aws:ec2:{REGION}:{account}:vpc/{vpc}", name, account)
    document = envoy_http.listener(plan, EnvoyPaths(access_log=f"/run/latticewall/bench-{name}.jsonl", authorization=authorization))
    document["address"]["socket_address"]["network_namespace_filepath"] = neighbour
    manager = connection_manager(document)
    del manager["scoped_routes"]
    routes = envoy_routes.route_configuration(host, (built.api,), envoy_routes.Services(plan.services, plan.port, plan.scheme))
    # wrk names the host it was given, curl the address
    routes["virtual_hosts"][0]["domains"] = ["*"]
    manager["route_config"] = routes
    return document


def connection_manager(listener: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][-1]["typed_config"]
    return found


def _external_authorization() -> dict[str, Any]:
    server = {"server_uri": {"uri": "http://authorizer", "cluster": "authorizer", "timeout": "5s"}}
    return {
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", "http_service": server},
    }


def _authorizer_cluster() -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"pipe": {"path": _AUTHORIZER}}}}
    return {"name": "authorizer", "type": "STATIC", "load_assignment": {"cluster_name": "authorizer", "endpoints": [{"lb_endpoints": [endpoint]}]}}


def _tcp_listener(neighbour: str) -> dict[str, Any]:
    proxy = {"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "plain", "cluster": "bulk"}
    address = {"address": ADDRESSES["plain-client"], "port_value": TCP_PORT, "network_namespace_filepath": neighbour}
    return {"name": "plain-tcp", "address": {"socket_address": address}, "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}]}


def cluster(built: Architecture, name: str = "server", port: int = TARGET_PORT) -> dict[str, Any]:
    source = {"address": _SOURCE, "port_value": 0, "network_namespace_filepath": f"{_NETNS}/{built.vpcs['servers']}"}
    endpoint = {"endpoint": {"address": {"socket_address": {"address": ADDRESSES["server"], "port_value": port}}}}
    return {
        "name": name, "type": "STATIC", "connect_timeout": "5s", "upstream_bind_config": {"source_address": source},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }  # fmt: skip
