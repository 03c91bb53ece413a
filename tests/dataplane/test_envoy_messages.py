"""Documents as Envoy's messages: in one piece and in parts, anew and out of what was packed before."""

from __future__ import annotations

from dataclasses import replace

from envoy.config.route.v3.route_pb2 import RouteConfiguration

from latticewall.base.memo import Memo
from latticewall.compile.render.envoy import TYPE_URLS, VIRTUAL_HOST, inconsistencies, render
from latticewall.compile.render.envoy_paths import EnvoyPaths
from latticewall.dataplane.envoy.protobufs import pack, pack_of_parts, serialised
from latticewall.dataplane.envoy.server import publishable
from latticewall.plan.proxy import Cluster, Endpoint, HttpListener, HttpRoute, ProxyPlan, RouteMatch, VirtualHost


def host(number: int, status: int = 200) -> VirtualHost:
    route = HttpRoute(RouteMatch(), f"rule-{number}", fixed_status=status) if number % 2 else HttpRoute(RouteMatch(), "rule", clusters=((f"tg-{number}", 1),))
    return VirtualHost(f"arn:svc-{number}", f"svc-{number:03}", "arn:sn", "listener", (f"{number}.example.com",), (route,), authorize=number % 3 == 0)


def plan(*hosts: VirtualHost, vpcs: int = 3) -> ProxyPlan:
    listeners = [
        HttpListener(f"http-{vpc}-80", vpc, "169.254.171.32", 80, vpc, f"arn:{vpc}", hosts, routes="http-sn-80") for vpc in (f"vpc-{n}" for n in range(vpcs))
    ]
    clusters = [Cluster(f"tg-{number}", "vpc-0", "169.254.171.2", (Endpoint("10.0.0.1", 80),)) for number in range(0, 200, 2)]
    return ProxyPlan(http_listeners=tuple(listeners), clusters=tuple(clusters))


def test_parts_make_the_same_message() -> None:
    document = render(plan(*map(host, range(40)))).routes["http-sn-80"]
    frame = {name: value for name, value in document.items() if name != "virtual_hosts"}
    parts = [serialised(VIRTUAL_HOST, part) for part in document["virtual_hosts"]]
    whole = pack(TYPE_URLS["routes"], document)
    in_parts = pack_of_parts(TYPE_URLS["routes"], frame, "virtual_hosts", parts)
    assert RouteConfiguration.FromString(in_parts.value) == RouteConfiguration.FromString(whole.value)


def test_vpcs_of_a_service_network_share_one_route_configuration() -> None:
    snapshot = render(plan(host(1), host(2), vpcs=5))
    assert list(snapshot.routes) == ["http-sn-80"]
    assert len(snapshot.listeners) == 5
    assert publishable(snapshot).listeners["http-vpc-4-80"].needs == ("http-sn-80",)


def test_another_service_is_one_virtual_host_and_no_other_listener() -> None:
    memo, packing = Memo(), Memo()
    paths = EnvoyPaths()
    hosts = tuple(map(host, range(30)))
    before = render(plan(*hosts), paths, memo)
    published = publishable(before, packing)
    for changed in ((*hosts, host(99)), (*hosts[:7], *hosts[8:]), (*hosts[:3], replace(host(3), authorize=False), *hosts[4:])):
        after = render(plan(*changed), paths, memo)
        assert after == render(plan(*changed), paths)
        assert inconsistencies(after, memo) == inconsistencies(after) == ()
        assert all(after.listeners[name] is before.listeners[name] for name in before.listeners)
        again, anew = publishable(after, packing), publishable(after)
        assert again == anew
        assert again.routes["http-sn-80"].version != published.routes["http-sn-80"].version
        assert {name: item.version for name, item in again.listeners.items()} == {name: item.version for name, item in published.listeners.items()}
