"""Documents as Envoy's messages: anew and out of what was packed before."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from latticewall.base.memo import Memo
from latticewall.compile.render.envoy import inconsistencies, render
from latticewall.compile.render.envoy_paths import EnvoyPaths
from latticewall.dataplane.envoy.delta import Published
from latticewall.dataplane.envoy.server import publishable
from latticewall.plan.proxy import Cluster, Endpoint, HttpListener, HttpRoute, HttpServices, ProxyPlan, RouteMatch, VirtualHost


def host(number: int, status: int = 200) -> VirtualHost:
    route = HttpRoute(RouteMatch(), f"rule-{number}", fixed_status=status) if number % 2 else HttpRoute(RouteMatch(), "rule", clusters=((f"tg-{number}", 1),))
    return VirtualHost(f"arn:svc-{number}", f"svc-{number:03}", "arn:sn", "listener", (f"{number}.example.com",), (route,), authorize=number % 3 == 0)


@cache
def listener(number: int) -> HttpListener:
    """The same object each time, as in plans that are compiled one after the other."""
    vpc = f"vpc-{number}"
    return HttpListener(f"http-{vpc}-80", vpc, "169.254.171.32", 80, vpc, f"arn:{vpc}", "http-sn-80")


def plan(*hosts: VirtualHost, vpcs: int = 3) -> ProxyPlan:
    clusters = [Cluster(f"tg-{number}", "vpc-0", "169.254.171.2", (Endpoint("10.0.0.1", 80),)) for number in range(0, 200, 2)]
    return ProxyPlan(tuple(map(listener, range(vpcs))), (HttpServices("http-sn-80", 80, "http", hosts),), clusters=tuple(clusters))


def test_vpcs_of_a_service_network_share_its_services() -> None:
    snapshot = render(plan(host(1), host(2), vpcs=5))
    assert list(snapshot.routes) == ["http-sn-80 svc-001", "http-sn-80 svc-002"]
    assert {name: scope["route_configuration_name"] for name, scope in snapshot.scopes.items()} == {
        "http-sn-80 1.example.com": "http-sn-80 svc-001", "http-sn-80 2.example.com": "http-sn-80 svc-002",
    }  # fmt: skip
    assert len(snapshot.listeners) == 5
    assert publishable(snapshot).scopes["http-sn-80 1.example.com"].needs == ("http-sn-80 svc-001",)


def test_another_service_is_one_route_configuration_and_its_scopes_and_touches_nothing_else() -> None:
    memo, packing = Memo(), Memo()
    paths = EnvoyPaths()
    hosts = tuple(map(host, range(30)))
    before = render(plan(*hosts), paths, memo)
    published = publishable(before, packing)

    def changed(after: Published, kind: str) -> set[str]:
        old, new = published.table(kind), after.table(kind)
        return {name for name in old.keys() | new.keys() if name not in old or name not in new or old[name].version != new[name].version}

    for number, hosts_now in {
        99: (*hosts, host(99)), 7: (*hosts[:7], *hosts[8:]), 3: (*hosts[:3], replace(host(3), authorize=False), *hosts[4:])
    }.items():  # fmt: skip
        after = render(plan(*hosts_now), paths, memo)
        assert after == render(plan(*hosts_now), paths)
        assert inconsistencies(after, memo) == inconsistencies(after) == ()
        assert all(after.listeners[name] is before.listeners[name] for name in before.listeners)
        again, anew = publishable(after, packing), publishable(after)
        assert again == anew
        assert changed(again, "routes") == {f"http-sn-80 svc-{number:03}"}
        assert changed(again, "scopes") == (set() if number == 3 else {f"http-sn-80 {number}.example.com"})
        assert changed(again, "listeners") == changed(again, "clusters") == set()
