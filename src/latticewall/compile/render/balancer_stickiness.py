"""Sticky sessions in Envoy: the filter of stateful sessions sends a request to the target that a header names, when that target is there and fit; a script
before it makes the header out of the load balancer's cookies, and the cookies out of the header with which the filter answers.

What a cookie says is encrypted (dataplane/envoy/stickiness.lua): the routes here only say which cookies there are, and for how long. A target group that is
stuck to has a route of its own, chosen by a header of the script.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from latticewall.compile.render.envoy_clusters import any_of
from latticewall.compile.render.envoy_versions import Variant
from latticewall.plan.load_balancers import BalancerRoute, BalancerSocket
from latticewall.policy.to_lua import literal as lua_literal

if TYPE_CHECKING:
    from latticewall.compile.render.envoy_paths import EnvoyPaths

Document = dict[str, Any]

COOKIES, SESSION = "stickiness", "session"
TARGET, GROUP = "x-latticewall-target", "x-latticewall-group"
"""The headers between script, filter and routes; no client's copy and no target's gets in, and none goes out."""
_FILTERS = "envoy.extensions.filters.http"
_LOADER = """local script
function envoy_on_request(handle)
  script = script or assert(loadfile({path}))()
  script.on_request(handle)
end
function envoy_on_response(handle)
  if script then script.on_response(handle) end
end
"""
"""Reads the script with the first request that has to do with it."""


def filters(paths: EnvoyPaths) -> list[Document]:
    """Of every listener, so that stickiness comes and goes without closing a connection; both do nothing where no route says otherwise."""
    source = {"inline_string": _LOADER.format(path=lua_literal(paths.stickiness))}
    script = any_of(f"{_FILTERS}.lua.v3.Lua", default_source_code=source, clear_route_cache=False)
    return [
        {"name": COOKIES, "typed_config": script, "disabled": True},
        {"name": SESSION, "typed_config": any_of(f"{_FILTERS}.stateful_session.v3.StatefulSession")},
    ]


def sticky_variants(variant: Variant[BalancerRoute]) -> Iterator[Variant[BalancerRoute]]:
    """The route for each of a rule's groups that clients stick to, whatever its weight is by now, and then the one that chooses by weight."""
    route = variant.route
    if not variant.refuses:
        names = {cluster for cluster, _ in route.clusters}
        for one in route.sticky:
            if one.group_seconds and one.cluster in names:
                chosen = {"name": GROUP, "string_match": {"exact": one.group}}
                yield variant._replace(route=replace(route, clusters=((one.cluster, 1),)), headers=(*variant.headers, chosen))
    yield variant


def of_cluster(plan: BalancerSocket, route: BalancerRoute, cluster: str) -> Document:
    """What one of a route's weighted clusters says to the filters."""
    one = next((one for one in route.sticky if one.cluster == cluster), None)
    if one is None:
        return {}
    context = {
        "balancer": plan.load_balancer_id, "secure": bool(plan.certificate), "group": one.group, "group_seconds": one.group_seconds, "kind": one.kind,
        "cookie": one.cookie, "application": one.application, "seconds": one.seconds,
    }  # fmt: skip
    configured: Document = {COOKIES: any_of(f"{_FILTERS}.lua.v3.LuaPerRoute", filter_context=context)}
    if one.kind:
        by_header = any_of("envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState", name=TARGET)
        state = {"name": "envoy.http.stateful_session.header", "typed_config": by_header}
        configured[SESSION] = any_of(f"{_FILTERS}.stateful_session.v3.StatefulSessionPerRoute", stateful_session={"session_state": state})
    return {"typed_per_filter_config": configured}
