"""Application Load Balancers' listeners and routes; their clusters are like everybody's.

Pages followed: "Listeners for your Application Load Balancers", "HTTP headers and Application Load Balancers", "Request tracing for your Application Load
Balancer", "Troubleshoot your Application Load Balancers" (which status code means what). Nothing here meets the service network's authorization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from latticewall.base.ssl_policies import POLICIES
from latticewall.compile.render import balancer_log, balancer_stickiness
from latticewall.compile.render.balancer_conditions import route_match, source_state
from latticewall.compile.render.balancer_lua import OWN_ANSWER, PLAIN_ANSWERS, SCRIPT
from latticewall.compile.render.envoy_clusters import any_of, seconds
from latticewall.compile.render.envoy_http import router
from latticewall.compile.render.envoy_https import listener_filters
from latticewall.compile.render.envoy_versions import SERVICES_HEADER, Variant, conditions, variants
from latticewall.plan.load_balancers import BalancerRoute, BalancerSocket, CertificateChoice, Redirect

if TYPE_CHECKING:
    from latticewall.compile.render.envoy_paths import EnvoyPaths

Document = dict[str, Any]

VERSIONS = {"TLSv1": "TLSv1_0", "TLSv1.1": "TLSv1_1", "TLSv1.2": "TLSv1_2", "TLSv1.3": "TLSv1_3"}
LUA = "envoy.filters.http.lua"
MAX_HEADERS_KB = 64
MAX_HEADERS = 1000
SERVER = "awselb/2.0"
INCOMPATIBLE = 464
"""What the target group does not take ("HTTP 464")."""
_EXTENSIONS = "envoy.extensions.filters"
_NOBODY = {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]}
"""No client is trusted with Envoy's own control headers. An empty list would trust everybody."""


def listener(plan: BalancerSocket, paths: EnvoyPaths) -> Document:
    """The socket and the connection settings; the rules are in its route configuration."""
    socket = {"address": plan.address, "port_value": plan.port, "network_namespace_filepath": paths.namespace(plan.namespace)}
    chains = [*(_chain(plan, paths, choice) for choice in plan.choices), _chain(plan, paths)]
    named = {"listener_filters": listener_filters()} if plan.certificate else {}
    return {"name": plan.name, "address": {"socket_address": socket}, **named, "filter_chains": chains}


def _chain(plan: BalancerSocket, paths: EnvoyPaths, choice: CertificateChoice | None = None) -> Document:
    """The connections of those who ask for the names of a choice; of all others."""
    chain: Document = {"filters": [source_state(), {"name": "http", "typed_config": _connections(plan, paths, choice)}]}
    if choice:
        chain["filter_chain_match"] = {"server_names": list(choice.names)}
    if plan.certificate:
        chain["transport_socket"] = _tls(plan, choice.certificates if choice else (plan.certificate,))
    return chain


def _connections(plan: BalancerSocket, paths: EnvoyPaths, choice: CertificateChoice | None) -> Document:
    log = [balancer_log.access_log(plan, paths.access_log, choice)] if plan.access_log else []
    return any_of(
        f"{_EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager",
        codec_type="AUTO" if plan.http2 else "HTTP1",
        stat_prefix="load_balancer",
        rds={"config_source": {"ads": {}, "resource_api_version": "V3"}, "route_config_name": plan.name},
        http_filters=[
            {"name": LUA, "typed_config": _script(SCRIPT)},
            *([{"name": "plain-answers", "typed_config": _script(PLAIN_ANSWERS)}] if plan.http2 else ()),
            *balancer_stickiness.filters(paths),
            router(),
        ],
        access_log=log,
        early_header_mutation_extensions=[_known_headers()],
        common_http_protocol_options={
            "idle_timeout": seconds(plan.idle_timeout), "max_connection_duration": seconds(plan.keep_alive), "max_headers_count": MAX_HEADERS,
            "headers_with_underscores_action": "DROP_HEADER" if plan.drop_invalid_headers else "ALLOW",
        },
        http1_safe_max_connection_duration=True,
        http_protocol_options={"accept_http_10": True, "default_host_for_http_10": f"[{plan.address}]" if plan.node else plan.address},
        upgrade_configs=[{"upgrade_type": "websocket"}],
        max_request_headers_kb=MAX_HEADERS_KB,
        request_headers_timeout=seconds(plan.idle_timeout),
        server_header_transformation="PASS_THROUGH",
        normalize_path=False,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        use_remote_address=True,
        skip_xff_append=plan.x_forwarded_for != "append",
        internal_address_config=_NOBODY,
        generate_request_id=False,
        local_reply_config={"mappers": _local_replies(plan)},
    )  # fmt: skip


def _tls(plan: BalancerSocket, certificates: tuple[str, ...]) -> Document:
    """Certificates come by SDS, so that another one in its place closes no connection; so does no further one, which has a filter chain of its own."""
    policy = POLICIES[plan.ssl_policy]
    context = {
        "tls_params": {
            "tls_minimum_protocol_version": VERSIONS[policy.versions[0]], "tls_maximum_protocol_version": VERSIONS[policy.versions[-1]],
            **({"cipher_suites": list(policy.suites)} if policy.suites else {}),
        },
        "alpn_protocols": ["h2", "http/1.1"] if plan.http2 else ["http/1.1"],
        "tls_certificate_sds_secret_configs": [{"name": name, "sds_config": {"ads": {}, "resource_api_version": "V3"}} for name in certificates],
    }  # fmt: skip
    return {"name": "tls", "typed_config": any_of("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", common_tls_context=context)}


def _script(text: str) -> Document:
    """What it changes in the headers does not change the rule that was chosen by them."""
    return any_of(f"{_EXTENSIONS}.http.lua.v3.Lua", default_source_code={"inline_string": text}, clear_route_cache=False)


def _known_headers() -> Document:
    """The request's protocol where routes can see it, as the service network has it."""
    known = {SERVICES_HEADER: "- %PROTOCOL%"}
    mutations: list[Document] = [{"append": _header(name, value)} for name, value in known.items()]
    mutations += [{"remove": name} for name in (balancer_stickiness.TARGET, balancer_stickiness.GROUP)]
    return {"name": "known", "typed_config": any_of("envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation", mutations=mutations)}


def _local_replies(plan: BalancerSocket) -> list[Document]:
    """Codes of the load balancer's own answers. Envoy's texts name addresses of targets: they stay inside."""
    server = [_header("server", SERVER)] if plan.names_itself else []

    def added(status: str) -> list[Document]:
        return [*server, _header(OWN_ANSWER, status)] if plan.http2 else server

    unreachable = {"and_filter": {"filters": [_flags("UF"), _details("connection_timeout")]}}
    found = [
        ({"status_code_filter": {"comparison": {"op": "EQ", "value": {"default_value": 431, "runtime_key": "latticewall.never-set"}}}}, 400, "Bad Request"),
        (unreachable, 504, "Gateway Time-out"),
        (_flags("UF", "UO", "UC", "UR", "UPE"), 502, "Bad Gateway"),
        (_flags("UH", "NC"), 503, "Service Temporarily Unavailable"),
        (_flags("UT", "SI"), 504, "Gateway Time-out"),
    ]
    mappers: list[Document] = [
        {
            "filter": condition, "status_code": status, "body": {"inline_string": _page(status, words)}, "body_format_override": _HTML,
            "headers_to_add": added(str(status)),
        }
        for condition, status, words in found
    ]  # fmt: skip
    return [*mappers, {"filter": {"not_health_check_filter": {}}, "headers_to_add": added("%RESPONSE_CODE%")}]


_HTML = {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}, "content_type": "text/html"}


def _page(status: int, words: str) -> str:
    title = f"{status} {words}"
    return f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"


def _flags(*flags: str) -> Document:
    return {"response_flag_filter": {"flags": list(flags)}}


def _details(word: str) -> Document:
    """An expression over what Envoy says of how it answered."""
    expression = any_of("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", expression=f"response.code_details.contains('{word}')")
    return {"extension_filter": {"name": "details", "typed_config": expression}}


def _header(name: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Document:
    return {"header": {"key": name, "value": value}, "append_action": action}


def route_configuration(plan: BalancerSocket) -> Document:
    """All rules of a listener, for any Host."""
    own = [balancer_stickiness.TARGET, balancer_stickiness.GROUP]
    removed = [SERVICES_HEADER, *own, "x-envoy-external-address", "x-envoy-internal"]
    if plan.x_forwarded_for == "remove":
        removed.append("x-forwarded-for")
    routes = [_route(plan, sticky) for route in plan.routes for one in variants(route) for sticky in balancer_stickiness.sticky_variants(one)]
    return {
        "name": plan.name,
        "virtual_hosts": [{"name": "any", "domains": ["*"], "routes": routes}],
        "request_headers_to_add": [_header("x-forwarded-port", str(plan.port)), _header("x-forwarded-proto", _scheme(plan))],
        "request_headers_to_remove": removed,
        "response_headers_to_remove": [OWN_ANSWER, balancer_stickiness.TARGET, *([] if plan.names_itself else ["server"])],
    }


def _scheme(plan: BalancerSocket) -> str:
    return "https" if plan.certificate else "http"


def _route(plan: BalancerSocket, variant: Variant[BalancerRoute]) -> Document:
    route = variant.route
    action = "redirect" if route.redirect else "fixed-response" if route.fixed else "forward"
    said = balancer_log.of_rule(route.priority, action, plan.certificate_arn)
    document: Document = {"name": route.name, "match": conditions(route_match(route.conditions), variant), "metadata": said}
    if variant.refuses:
        return {**document, "direct_response": {"status": INCOMPATIBLE}}
    if route.redirect is not None:
        return {**document, **_redirect(plan, route.redirect)}
    if route.fixed is not None:
        body = {"body": {"inline_string": route.fixed.body}} if route.fixed.body else {}
        kind = [_header("content-type", route.fixed.content_type or "text/plain; charset=utf-8")] if route.fixed.body else []
        return {**document, "direct_response": {"status": route.fixed.status, **body}, "response_headers_to_add": kind}
    weighted = [
        {"name": name, "weight": weight, **balancer_stickiness.of_cluster(plan, route, name)} for name, weight in route.clusters if weight > 0
    ]  # fmt: skip
    if not weighted:  # nobody has any weight
        return {**document, "direct_response": {"status": 503}}
    # no limit on the whole request, only on silence
    return {**document, "route": {"weighted_clusters": {"clusters": weighted}, "timeout": "0s", "idle_timeout": seconds(plan.idle_timeout)}}


def _redirect(plan: BalancerSocket, redirect: Redirect) -> Document:
    """The script answers, with what is known here filled in; the route's own answer would only be seen if it did not run."""
    known = {"#{protocol}": _scheme(plan), "#{port}": str(plan.port)}
    parts = {part: getattr(redirect, part) for part in ("protocol", "host", "port", "path", "query")}
    for placeholder, value in known.items():
        parts = {part: text.replace(placeholder, value) for part, text in parts.items()}
    parts["protocol"] = parts["protocol"].lower()
    words = {"status": str(redirect.status), **parts}
    context = any_of(f"{_EXTENSIONS}.http.lua.v3.LuaPerRoute", filter_context=words)
    return {"direct_response": {"status": 500}, "typed_per_filter_config": {LUA: context}}
