"""Which request reaches which target group by its protocol version ("Target groups in VPC Lattice", protocol version).

A group of HTTP1 takes all but gRPC, one of HTTP2 all but HTTP/1.1, one of GRPC what is sent with POST over HTTP/2. gRPC is what is sent so and says so by its
content type. What a rule would forward to a group that does not take it is refused; where a rule has groups of several versions, the share of those that do not
take it. So do load balancers ("HTTP 464").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeVar

from latticewall.plan.load_balancers import BalancerRoute
from latticewall.plan.proxy import HttpRoute

Document = dict[str, Any]
Route = TypeVar("Route", HttpRoute, BalancerRoute)

SERVICES_HEADER = "x-amzn-lattice-services"
"""What the listener tells the routes, two words: which services a request may be for (the name that the listeners share whose routes are the same), and its
protocol. No target gets it."""
REFUSED = "version"
"""The second word of the name of a route that refuses, after the rule's id."""
STATUS = 400
_MILLION = 1_000_000

OVER_HTTP_1_0 = {"name": SERVICES_HEADER, "string_match": {"suffix": " HTTP/1.0"}}
_OVER_HTTP_1 = {"name": SERVICES_HEADER, "string_match": {"contains": " HTTP/1."}}
_OVER_HTTP_2 = {"name": SERVICES_HEADER, "string_match": {"suffix": " HTTP/2"}}
_GRPC = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
_POST = {"name": ":method", "string_match": {"exact": "POST"}}
_NOT_POST = {**_POST, "invert_match": True}


class _Sort(NamedTuple):
    """Requests of one sort: by which headers they are known, and the versions of the groups that take them."""

    headers: tuple[Document, ...]
    taken_by: frozenset[str]


_SORTS = (
    _Sort((_OVER_HTTP_1,), frozenset({"HTTP1"})),
    _Sort((_OVER_HTTP_2, _POST, _GRPC), frozenset({"HTTP2", "GRPC"})),
    _Sort((_OVER_HTTP_2, _NOT_POST), frozenset({"HTTP1", "HTTP2"})),
)
"""What is left (POST of other content over HTTP/2) is taken by all."""


class Variant(NamedTuple, Generic[Route]):
    """A route with further conditions. refuses: it answers for the groups that do not take the request. fraction: of a million such requests."""

    route: Route
    headers: tuple[Document, ...] = ()
    refuses: bool = False
    fraction: int = _MILLION


def variants(route: Route) -> Iterator[Variant[Route]]:
    """The routes of a rule, the one for all other requests last."""
    whole = sum(weight for _, weight in route.clusters)
    for sort in _SORTS if route.versions and whole else ():
        kept = tuple(cluster for cluster, version in zip(route.clusters, route.versions, strict=True) if version in sort.taken_by)
        lost = whole - sum(weight for _, weight in kept)
        if lost:
            yield Variant(route, sort.headers, refuses=True, fraction=_MILLION * lost // whole)
        if 0 < lost < whole:
            yield Variant(replace(route, clusters=kept), sort.headers)
    yield Variant(route)


def narrowed(match: Document, *headers: Document) -> Document:
    """A route's match that asks for these headers, too."""
    return {**match, "headers": [*match.get("headers", ()), *headers]} if headers else match


def conditions(match: Document, variant: Variant[Any]) -> Document:
    """A route's match with the conditions of the variant."""
    found = narrowed(match, *variant.headers)
    if variant.fraction == _MILLION:
        return found
    return {**found, "runtime_fraction": {"default_value": {"numerator": variant.fraction, "denominator": "MILLION"}}}
