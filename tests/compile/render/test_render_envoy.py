"""What Envoy is given for a small service network, against a file people can read, and what is refused before Envoy sees it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from latticewall.compile.render import envoy_http
from latticewall.compile.render.envoy import TYPE_URLS, EnvoySnapshot, inconsistencies, render, version
from latticewall.compile.render.envoy_paths import EnvoyPaths
from latticewall.plan.https import ServerNames
from latticewall.plan.proxy import (
    Cluster,
    Endpoint,
    HeaderMatch,
    HealthCheck,
    HttpListener,
    HttpRoute,
    HttpServices,
    ProxyPlan,
    RouteMatch,
    TcpDecision,
    TcpListener,
    VirtualHost,
)

GOLDEN = Path(__file__).with_name("envoy_golden.json")
BASE = "arn:aws:vpc-lattice:us-west-2:111122223333"
NETWORK = f"{BASE}:servicenetwork/sn-1"


def host(service: str, domain: str, *routes: HttpRoute, authorize: bool = True, idle_timeout: int = 60) -> VirtualHost:
    return VirtualHost(f"{BASE}:service/{service}", service, NETWORK, "listener-1", (domain,), routes, authorize, idle_timeout)


def forward(*clusters: tuple[str, int], match: RouteMatch | None = None, rule: str = "rule-default") -> HttpRoute:
    arns = tuple((name, f"{BASE}:targetgroup/{name}", "vpc-2") for name, _ in clusters)
    return HttpRoute(match or RouteMatch(), rule, clusters=clusters, target_groups=arns)


ORDERS = host(
    "svc-orders",
    "orders.example.com",
    forward(
        ("tg-a", 90),
        ("tg-b", 10),
        match=RouteMatch("/v2", "prefix", case_sensitive=False, method="GET", headers=(HeaderMatch("x-tier", "gold", "contains"),)),
        rule="rule-1",
    ),
    HttpRoute(RouteMatch("/gone", "exact"), "rule-2", fixed_status=404),
    forward(("tg-a", 100)),
    idle_timeout=120,
)
OPEN = host("svc-status", "status.example.com", forward(("tg-b", 1)), authorize=False)
LISTENER = HttpListener(
    "http-vpc-1-80", "vpc-1", "169.254.171.32", 80, "vpc-1", "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-1", "http-vpc-1-80", idle_timeout=120,
)  # fmt: skip
SERVICES = HttpServices("http-vpc-1-80", 80, "http", (ORDERS, OPEN))
CLUSTERS = (
    Cluster(
        "tg-a",
        "vpc-2",
        "169.254.171.2",
        (Endpoint("10.0.0.11", 8080), Endpoint("10.0.0.10", 8080)),
        health_check=HealthCheck("/health", 30, 5, 5, 2, port=9090, codes=((200, 299), (401, 401))),
        arn=f"{BASE}:targetgroup/tg-a",
    ),
    Cluster(
        "tg-b",
        "vpc-2",
        "169.254.171.2",
        (),
        protocol="GRPC",
        tls=True,
        health_check=HealthCheck("/", 30, 5, 5, 2, protocol="HTTP"),
        arn=f"{BASE}:targetgroup/tg-b",
    ),
)
TCP = TcpListener(
    name="tcp-vpc-1-snra-1",
    namespace="vpc-1",
    address="129.224.0.9",
    ports=((6379, 6380),),
    vpc_id="vpc-1",
    vpc_arn="arn:aws:ec2:us-west-2:111122223333:vpc/vpc-1",
    resource_configuration_arn=f"{BASE}:resourceconfiguration/rcfg-1",
    association_id="snra-1",
    service_network_arn=NETWORK,
    upstream_namespace="vpc-2",
    gateway_id="rgw-1",
    sources=("10.0.0.40", "10.0.0.41"),
    targets=("10.0.0.50",),
)
PLAN = ProxyPlan((LISTENER,), (SERVICES,), (TCP,), CLUSTERS)
PATHS = EnvoyPaths("/netns", "/log/access.jsonl")


def tables(snapshot: EnvoySnapshot) -> dict[str, object]:
    return {kind: dict(snapshot.table(kind)) for kind in TYPE_URLS if kind != "secrets"}


def versions(plan: ProxyPlan) -> dict[tuple[str, str], str]:
    snapshot = render(plan, PATHS)
    return {(kind, name): version(item) for kind in tables(snapshot) for name, item in snapshot.table(kind).items()}


def test_a_small_service_network_is_rendered_as_recorded() -> None:
    text = json.dumps(tables(render(PLAN, PATHS)), indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_it_is_whole_and_free_of_problems() -> None:
    snapshot = render(PLAN, PATHS)
    assert snapshot.problems == ()
    assert inconsistencies(snapshot) == ()


def test_the_order_of_a_plans_parts_does_not_matter() -> None:
    other = ProxyPlan((LISTENER,), (replace(SERVICES, hosts=(OPEN, ORDERS)),), (TCP,), tuple(reversed(CLUSTERS)))
    assert versions(other) == versions(PLAN)


def changed(before: ProxyPlan, after: ProxyPlan) -> set[tuple[str, str]]:
    """Which resources a change of the plan touches."""
    old, new = render(before, PATHS), render(after, PATHS)
    return {
        (kind, name)
        for kind in tables(old)
        for name in {*old.table(kind), *new.table(kind)}
        if old.table(kind).get(name) != new.table(kind).get(name)
    }


def test_a_change_touches_no_more_than_it_must() -> None:
    more_targets = replace(CLUSTERS[0], endpoints=(*CLUSTERS[0].endpoints, Endpoint("10.0.0.12", 8080)))
    assert changed(PLAN, replace(PLAN, clusters=(more_targets, CLUSTERS[1]))) == {("endpoints", "tg-a")}
    closed = replace(SERVICES, hosts=(ORDERS, replace(OPEN, authorize=True)))
    assert changed(PLAN, replace(PLAN, http_services=(closed,))) == {("routes", "http-vpc-1-80 svc-status")}
    fewer = replace(SERVICES, hosts=(ORDERS,))
    assert changed(PLAN, replace(PLAN, http_services=(fewer,))) == {("routes", "http-vpc-1-80 svc-status"), ("scopes", "http-vpc-1-80 status.example.com")}


def test_two_services_cannot_share_a_name_on_one_port() -> None:
    thief = host("svc-thief", "orders.example.com", forward(("tg-b", 1)))
    snapshot = render(replace(PLAN, http_services=(replace(SERVICES, hosts=(ORDERS, thief)),)), PATHS)
    assert [(problem.kind, problem.id) for problem in snapshot.problems] == [("vpc-lattice:Service", "svc-thief")]
    assert list(snapshot.routes) == ["http-vpc-1-80 svc-orders"]
    assert {scope["route_configuration_name"] for scope in snapshot.scopes.values()} == set(snapshot.routes)


def test_a_resource_that_moves_touches_its_destination_only() -> None:
    destination = f"{BASE}:resourceconfiguration/rcfg-1"
    for targets in (("10.0.0.51",), ("10.0.0.51", "10.0.0.52"), ()):
        moved = replace(PLAN, tcp_listeners=(replace(TCP, targets=targets),))
        assert changed(PLAN, moved) == {("destinations", destination)}
        assert inconsistencies(render(moved, PATHS)) == ()
    another_port = replace(PLAN, tcp_listeners=(replace(TCP, ports=((6379, 6381),)),))
    assert changed(PLAN, another_port) == {("listeners", "tcp-vpc-1-snra-1:6381")}


def test_a_gateway_s_addresses_are_shared_by_its_resources() -> None:
    other = replace(TCP, name="tcp-vpc-1-snra-2", address="129.224.0.10", resource_configuration_arn=f"{BASE}:resourceconfiguration/rcfg-2")
    snapshot = render(replace(PLAN, tcp_listeners=(TCP, other)), PATHS)
    assert [name for name in snapshot.clusters if name.startswith("rgw-1")] == ["rgw-1/10.0.0.40", "rgw-1/10.0.0.41"]
    assert (len(snapshot.destinations), snapshot.problems, inconsistencies(snapshot)) == (2, (), ())


def test_addresses_of_both_families_are_written_as_they_must_be() -> None:
    def written(*targets: str) -> str:
        snapshot = render(replace(PLAN, tcp_listeners=(replace(TCP, targets=targets),)), PATHS)
        (found,) = snapshot.destinations.values()
        text: str = found["typed_config"]["on_new_connection"][0]["format_string"]["text_format_source"]["inline_string"]
        return text

    assert written("10.0.0.50") == "10.0.0.50:%DOWNSTREAM_LOCAL_PORT%"
    assert written("fd00::5") == "[fd00::5]:%DOWNSTREAM_LOCAL_PORT%"
    assert written("10.0.0.50", "10.0.0.51") == "%CEL(['10.0.0.50','10.0.0.51'][int(connection.id / 2u % 2u)])%:%DOWNSTREAM_LOCAL_PORT%"


def test_a_resource_that_cannot_be_carried_is_a_problem_and_the_rest_stays() -> None:
    snapshot = render(replace(PLAN, tcp_listeners=(replace(TCP, ports=((1, 65535),)),)), PATHS)
    assert [(problem.kind, problem.id) for problem in snapshot.problems] == [("vpc-lattice:ServiceNetworkResourceAssociation", "snra-1")]
    assert "65535 ports" in snapshot.problems[0].message
    assert list(snapshot.listeners) == ["http-vpc-1-80"]


def test_audit_mode_has_a_filter_chain_for_each_decision() -> None:
    """The last decision is for whoever no other is for. A socket of its own port needs no match of ports; the one socket of a wide range does."""
    denied = TcpDecision(("10.0.0.10", "fd00::1"), 6380, "Resource", explicit=True, statement=2)
    decisions = (TcpDecision(("10.0.0.10",), 6379), denied, TcpDecision((), layer="Identity"))
    own = render(replace(PLAN, tcp_listeners=(replace(TCP, ports=((6379, 6380),), audited=decisions),)), PATHS).listeners
    first, second = (own[f"{TCP.name}:{port}"] for port in (6379, 6380))
    (chain,) = first["filter_chains"]
    assert chain["filter_chain_match"] == {"source_prefix_ranges": [{"address_prefix": "10.0.0.10", "prefix_len": 32}]}
    assert "authDeniedReason" not in json.dumps(chain)
    (chain,) = second["filter_chains"]
    assert [found["prefix_len"] for found in chain["filter_chain_match"]["source_prefix_ranges"]] == [32, 128]
    assert '\\"explicit\\":true,\\"statement\\":2' in json.dumps(chain)
    assert '"authDeniedReason": "Identity"' in json.dumps(second["default_filter_chain"])
    wide = render(replace(PLAN, tcp_listeners=(replace(TCP, capture_port=9, audited=decisions),)), PATHS).listeners[TCP.name]
    assert [chain["filter_chain_match"]["destination_port"] for chain in wide["filter_chains"]] == [6379, 6380]


def test_what_names_nothing_or_claims_twice_is_found() -> None:
    twin = replace(LISTENER, name="http-twin")
    snapshot = render(ProxyPlan((LISTENER, twin), (SERVICES,), clusters=CLUSTERS[:1]), PATHS)
    found = "\n".join(inconsistencies(snapshot))
    assert "route configuration http-vpc-1-80 svc-orders names the cluster tg-b, which does not exist" in found
    assert "listeners http-vpc-1-80 and http-twin claim the same socket 169.254.171.32:80" in found
    broken = replace(render(PLAN, PATHS), routes={}, endpoints={})
    found = "\n".join(inconsistencies(broken))
    assert "scope http-vpc-1-80 orders.example.com names the route configuration http-vpc-1-80 svc-orders, which does not exist" in found
    assert "cluster tg-a names the endpoints tg-a, which does not exist" in found
    odd = render(replace(PLAN, http_listeners=(replace(LISTENER, port=70000),)), PATHS)
    assert inconsistencies(odd) == ("listener http-vpc-1-80 has the port 70000",)


def test_no_text_of_a_plan_is_read_as_a_format() -> None:
    odd = replace(LISTENER, vpc_arn="arn:%REQ(authorization)%")
    snapshot = render(replace(PLAN, http_listeners=(odd,)), PATHS)
    assert "%REQ(authorization)%" not in json.dumps(tables(snapshot)).replace("%%REQ(authorization)%%", "")


@pytest.mark.parametrize("names", [(), (ServerNames((), "lattice", 60), ServerNames(("orders.example.com",), "own", 60))])
def test_every_way_in_says_where_it_is_and_believes_no_client(names: tuple[ServerNames, ...]) -> None:
    """Of HTTP and of HTTPS: the order matters, the mark comes after the client's own copy has gone."""
    document = envoy_http.listener(replace(LISTENER, vpc_owner="111122223333", server_names=names), PATHS)
    assert len(document["filter_chains"]) == max(1, len(names))
    for chain in document["filter_chains"]:
        (manager,) = chain["filters"]
        config = manager["typed_config"]
        words = "vpc-1 111122223333 80" + (" tls" if names else "")
        assert f'return decide(handle, "{words}")' in config["http_filters"][0]["typed_config"]["default_source_code"]["inline_string"]
        (early,) = config["early_header_mutation_extensions"]
        mutations = early["typed_config"]["mutations"]
        gone = [step["remove_on_match"]["key_matcher"]["prefix"] for step in mutations if "remove_on_match" in step]
        assert gone == ["x-amzn-lattice", "x-amzn-source", "x-amzn_", "x_amzn", "x-forwarded_", "x_forwarded"]
        assert [step["append"]["header"] for step in mutations[len(gone) : len(gone) + 4]] == [
            {"key": "x-amzn-lattice-identity", "value": "pending"}, {"key": "x-amzn-lattice-services", "value": "http-vpc-1-80 %PROTOCOL%"},
            {"key": "x-amzn-lattice-network", "value": f"SourceVpcArn={LISTENER.vpc_arn}"}, {"key": "x-amzn-source-vpc", "value": LISTENER.vpc_id},
        ]  # fmt: skip
        assert [found["name"] for found in config["http_filters"]] == ["envoy.filters.http.lua", "envoy.filters.http.fault", "trailers", "router"]
        assert (config["normalize_path"], config["merge_slashes"], config["skip_xff_append"]) == (False, False, True)
