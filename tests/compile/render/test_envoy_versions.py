"""Which requests reach which group: the documented table, for all mixtures of groups in one rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latticewall.compile.render.envoy_versions import SERVICES_HEADER, Variant, conditions, variants
from latticewall.plan.proxy import HttpRoute, RouteMatch

TAKEN = {
    ("HTTP/1.1", "GET", "text/plain"): {"HTTP1"},
    ("HTTP/1.1", "POST", "application/grpc"): {"HTTP1"},
    ("HTTP/2", "GET", "text/plain"): {"HTTP1", "HTTP2"},
    ("HTTP/2", "GET", ""): {"HTTP1", "HTTP2"},
    ("HTTP/2", "POST", "text/plain"): {"HTTP1", "HTTP2", "GRPC"},
    ("HTTP/2", "POST", "application/grpc"): {"HTTP2", "GRPC"},
    ("HTTP/2", "POST", "application/grpc+proto"): {"HTTP2", "GRPC"},
    ("HTTP/2", "GET", "application/grpc"): {"HTTP1", "HTTP2"},
}
"""Request -> versions of the groups that take it ("Target groups in VPC Lattice", protocol version)."""
VERSIONS = ("HTTP1", "HTTP2", "GRPC")


def route(*groups: tuple[str, int]) -> HttpRoute:
    return HttpRoute(RouteMatch(), "rule-1", clusters=tuple((f"tg-{n}", weight) for n, (_, weight) in enumerate(groups)), versions=tuple(v for v, _ in groups))


_MODES = {"exact": str.__eq__, "prefix": str.startswith, "suffix": str.endswith, "contains": str.__contains__}


def holds(variant: Variant, headers: dict[str, str]) -> bool:
    """As Envoy matches headers."""
    for wanted in variant.headers:
        value = headers.get(wanted["name"])
        ((mode, text),) = wanted["string_match"].items()
        if value is None or _MODES[mode](value, text) == wanted.get("invert_match", False):
            return False
    return True


def shares(found: Iterator[Variant], headers: dict[str, str]) -> dict[str, float]:
    """Cluster (or "refused") -> its share of such requests."""
    left, result = 1.0, dict[str, float]()
    for variant in found:
        if not holds(variant, headers):
            continue
        part = left * variant.fraction / 1_000_000
        left -= part
        whole = sum(weight for _, weight in variant.route.clusters)
        for name, weight in (("refused", whole),) if variant.refuses else variant.route.clusters:
            result[name] = result.get(name, 0) + part * weight / whole
    assert left == pytest.approx(0)
    return {name: share for name, share in result.items() if share > 1e-9}


@given(st.lists(st.tuples(st.sampled_from(VERSIONS), st.integers(0, 999)), min_size=1, max_size=5), st.sampled_from(sorted(TAKEN)))
def test_every_group_gets_its_share_of_what_it_takes_and_the_rest_is_refused(groups: list[tuple[str, int]], asked: tuple[str, str, str]) -> None:
    whole = sum(weight for _, weight in groups)
    if whole == 0:
        return
    version, method, kind = asked
    headers = {SERVICES_HEADER: f"http-vpc-1-80 {version}", ":method": method, **({"content-type": kind} if kind else {})}
    wanted = {f"tg-{n}": weight / whole for n, (of, weight) in enumerate(groups) if weight and of in TAKEN[asked]}
    if (refused := 1 - sum(wanted.values())) > 1e-9:
        wanted["refused"] = refused
    assert shares(variants(route(*groups)), headers) == pytest.approx(wanted, abs=1e-5)


def test_what_asks_for_no_version_has_one_route() -> None:
    plain = HttpRoute(RouteMatch(), "rule-1", clusters=(("tg-1", 1),))
    assert list(variants(plain)) == [Variant(plain)]
    fixed = HttpRoute(RouteMatch(), "rule-1", fixed_status=404, versions=())
    assert list(variants(fixed)) == [Variant(fixed)]


def test_conditions_are_added_to_the_rules_own() -> None:
    own: dict[str, Any] = {"prefix": "/a", "headers": [{"name": "x"}]}
    refusing = next(variants(route(("HTTP1", 1), ("HTTP2", 3))))
    found = conditions(own, refusing)
    assert found["headers"] == [{"name": "x"}, *refusing.headers]
    assert found["runtime_fraction"] == {"default_value": {"numerator": 750_000, "denominator": "MILLION"}}
    assert conditions(own, Variant(refusing.route)) == own
