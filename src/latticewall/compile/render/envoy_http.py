"""HTTP and HTTPS listeners and their routes: services as seen through one port in one VPC.

Order for a request: strip what only the service network may say, mark the request as undecided and set its id (before anything looks at it), choose the
service by Host and the rule, decide (the Lua filter), refuse what is still undecided, then add what targets are promised and forward.
Pages followed: "HTTP listeners", "Listener rules for your VPC Lattice service", "HTTP targets in VPC Lattice", "Quotas for Amazon VPC Lattice".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from latticewall.base.memo import Memo
from latticewall.compile.render import envoy_https
from latticewall.compile.render.envoy_clusters import METADATA_NAMESPACE, any_of, seconds
from latticewall.compile.render.envoy_log import IDENTITY_HEADER, http_access_log, literal
from latticewall.compile.render.envoy_versions import REFUSED, STATUS, VERSION_HEADER, Variant, conditions, variants
from latticewall.plan.node import Problem
from latticewall.plan.proxy import HeaderMatch, HttpListener, RouteMatch, VirtualHost
from latticewall.policy.to_lua import literal as lua_literal

if TYPE_CHECKING:
    from latticewall.compile.render.envoy_paths import EnvoyPaths

Document = dict[str, Any]

LUA = "envoy.filters.http.lua"
UNDECIDED = "envoy.filters.http.rbac"
PENDING = "pending"
"""The value of the identity header from before the decision until it; the client's own copy never gets that far."""
MAX_CONNECTION_DURATION = 600
MAX_HEADERS_KB = 60
MAX_HEADERS = 100
MAX_STREAMS = 128
"""Of one HTTP/2 connection at a time: AWS publishes no figure for VPC Lattice, this is that of its load balancers."""
REQUEST_ID = "x-amzn-requestid"
REQUEST_ID_LENGTH = 512
DEFAULT_IDLE = 60
PLACE, SOURCE_VPC, SOURCE_VPC_ARN = "latticewall.place", "latticewall.source_vpc", "latticewall.source_vpc_arn"
"""State of a connection: what is said of the listener it came in by. Routes hold nothing of it, so that all VPCs of a service network share them."""

_NOBODY = {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]}
"""No client is trusted with Envoy's own control headers (x-envoy-retry-on, ...), whatever its address. An empty list would trust everybody."""

_OURS_TO_SAY = ("x-amzn-lattice", "x-amzn-source", "x-amzn_", "x_amzn")
"""How headers begin that only the service network may set; also spelt with underscores, which many frameworks take for the same header."""

_EXTENSIONS = "envoy.extensions.filters"
_PER_ROUTE_LUA = f"{_EXTENSIONS}.http.lua.v3.LuaPerRoute"
_OFF = any_of("envoy.config.route.v3.FilterConfig", disabled=True)


def listener(plan: HttpListener, paths: EnvoyPaths) -> Document:
    """The socket and the connection settings of one (VPC, port); everything about services is in its route configuration, which it may share with others."""
    document = {"name": plan.name, "address": socket_address(plan.address, plan.port, paths.namespace(plan.namespace))}
    if not plan.server_names:
        idle = max([host.idle_timeout for host in plan.virtual_hosts], default=DEFAULT_IDLE)
        return {**document, "filter_chains": [{"filters": [connection_state(plan), _connection_manager(plan, paths, idle)]}]}
    chains = [
        {
            "filter_chain_match": envoy_https.match(names),
            "filters": [connection_state(plan), _connection_manager(plan, paths, names.idle_timeout)],
            "transport_socket": envoy_https.transport_socket(names),
        }
        for names in plan.server_names
    ]
    return {**document, "listener_filters": envoy_https.listener_filters(), "filter_chains": chains}


def _connection_manager(plan: HttpListener, paths: EnvoyPaths, idle_timeout: int) -> Document:
    config = any_of(
        f"{_EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="service_network",
        rds={"config_source": {"ads": {}, "resource_api_version": "V3"}, "route_config_name": plan.route_configuration},
        http_filters=[_authorization_filter(paths), _refuse_undecided(), _router()],
        access_log=[http_access_log(plan, paths.access_log)],
        early_header_mutation_extensions=[_early_header_mutation(plan)],
        common_http_protocol_options={
            "idle_timeout": seconds(idle_timeout),
            "max_connection_duration": seconds(MAX_CONNECTION_DURATION),
            "max_headers_count": MAX_HEADERS,
        },
        http1_safe_max_connection_duration=True,
        http2_protocol_options={"max_concurrent_streams": MAX_STREAMS},
        max_request_headers_kb=MAX_HEADERS_KB,
        request_headers_timeout=seconds(DEFAULT_IDLE),
        server_header_transformation="PASS_THROUGH",
        # the path that is authorized is the path that is forwarded: nothing may rewrite it in between
        normalize_path=False,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        # the client's address is the connection's; what the client says about forwarding is replaced at the route, never believed
        use_remote_address=True,
        skip_xff_append=True,
        internal_address_config=_NOBODY,
        generate_request_id=False,
        local_reply_config={"mappers": _LOCAL_REPLIES},
    )
    return {"name": "http", "typed_config": config}


def connection_state(plan: HttpListener) -> Document:
    """Where a connection came in, for headers to the target and for the authorization filter: from configuration, out of the client's reach."""
    place = f"{plan.vpc_id} {plan.vpc_owner} {plan.port}" + (" tls" if plan.server_names else "")
    values = {PLACE: place, SOURCE_VPC: plan.vpc_id, SOURCE_VPC_ARN: plan.vpc_arn}
    objects = [
        {"object_key": key, "factory_key": "envoy.string", "format_string": {"text_format_source": {"inline_string": literal(value)}}}
        for key, value in values.items()
    ]
    return {"name": "place", "typed_config": any_of(f"{_EXTENSIONS}.network.set_filter_state.v3.Config", on_new_connection=objects)}


def sockets(listeners: Iterable[HttpListener], memo: Memo) -> list[HttpListener]:
    """Listeners with what `listener` looks at: of many virtual hosts the one that may be silent for longest, so that another service is no other listener."""
    plans = tuple(listeners)
    hosts = memo.map(_most_patient, [plan.virtual_hosts for plan in plans])
    found = memo.steady(sockets, {index: replace(plan, virtual_hosts=own) for index, (plan, own) in enumerate(zip(plans, hosts, strict=True))})
    return list(found.values())


def _most_patient(hosts: tuple[VirtualHost, ...]) -> tuple[VirtualHost, ...]:
    return tuple(sorted(hosts, key=lambda host: host.idle_timeout)[-1:])


def socket_address(address: str, port: int, namespace: str) -> Document:
    return {"socket_address": {"address": address, "port_value": port, "network_namespace_filepath": namespace}}


def _authorization_filter(paths: EnvoyPaths) -> Document:
    """Signature and policies, decided in LuaJIT from tables that the control plane keeps (dataplane/envoy/lua/filter.lua).

    Every filter chain has a Lua state in every worker. It reads the filter with its first request: most chains never have one that must be decided.
    """
    source = _LOADER.format(path=lua_literal(paths.authorization))
    return {"name": LUA, "typed_config": any_of(f"{_EXTENSIONS}.http.lua.v3.Lua", default_source_code={"inline_string": source})}


_LOADER = """local decide
function envoy_on_request(handle)
  if not decide then
    assert(loadfile({path}))()
    decide = envoy_on_request
  end
  return decide(handle)
end
jit.off(envoy_on_request)
"""
"""The file defines the function again. When it cannot be read, every request is left undecided, and refused."""


def _refuse_undecided() -> Document:
    """Envoy lets a request go on when a Lua filter fails; this one does not."""
    undecided = {"header": {"name": IDENTITY_HEADER, "string_match": {"exact": PENDING}}}
    rules = {"action": "DENY", "policies": {"undecided": {"permissions": [undecided], "principals": [{"any": True}]}}}
    return {"name": UNDECIDED, "typed_config": any_of(f"{_EXTENSIONS}.http.rbac.v3.RBAC", rules=rules)}


def _router() -> Document:
    return {"name": "router", "typed_config": any_of(f"{_EXTENSIONS}.http.router.v3.Router", suppress_envoy_headers=True)}


def _early_header_mutation(plan: HttpListener) -> Document:
    """Before routing and authorization: drop the client's copies of what only the service network says, mark as undecided, settle the request id."""
    config = any_of(
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[
            *({"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in _OURS_TO_SAY),
            {"append": _header(IDENTITY_HEADER, PENDING)},
            {"append": _header(REQUEST_ID, "%UNIQUE_ID%", "ADD_IF_ABSENT")},
            {"append": _header(REQUEST_ID, f"%REQ({REQUEST_ID.upper()}):{REQUEST_ID_LENGTH}%")},
            *([{"append": _header(VERSION_HEADER, "%PROTOCOL%")}] if plan.server_names else []),
        ],
    )
    return {"name": "identity-headers", "typed_config": config}


def _header(name: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Document:
    return {"header": {"key": name, "value": value}, "append_action": action}


def _local_reply(condition: Document, status: int, body: str) -> Document:
    return {"filter": condition, "status_code": status, "body": {"inline_string": body}, "headers_to_add": [_REQUEST_ID_BACK]}


def _flags(*flags: str) -> Document:
    return {"response_flag_filter": {"flags": list(flags)}}


def _status(status: int, op: str = "EQ") -> Document:
    return {"status_code_filter": {"comparison": {"op": op, "value": {"default_value": status, "runtime_key": "latticewall.never-set"}}}}


_UPGRADE = [
    _status(403),
    {"header_filter": {"header": {"name": "upgrade", "present_match": True}}},
    {"header_filter": {"header": {"name": "connection", "string_match": {"safe_regex": {"regex": r"(?i)(.*,)?\s*upgrade\s*(,.*)?"}}}}},
]
"""Envoy's answer to a request that would change the protocol, which nobody decides about: WebSockets are "not supported", not forbidden."""

_REQUEST_ID_BACK = _header(REQUEST_ID, f"%REQ({REQUEST_ID.upper()})%")
"""The id of a request in its answer."""

_LOCAL_REPLIES = [
    _local_reply(_status(431), 400, "Bad Request"),
    _local_reply({"and_filter": {"filters": _UPGRADE}}, 400, "Bad Request"),
    _local_reply(_flags("UF", "UO"), 500, "Internal Server Error"),
    _local_reply(_flags("UC", "UR", "UPE"), 502, "Bad Gateway"),
    _local_reply(_flags("UH", "NC"), 503, "Service Unavailable"),
    _local_reply(_flags("UT", "SI"), 504, "Gateway Timeout"),
    {"filter": _status(100, "GE"), "headers_to_add": [_REQUEST_ID_BACK]},
]
"""Codes of the proxy's own answers: "can't connect to targets" is a 500, a target's fault a 502 ("HTTP targets in VPC Lattice"). Envoy's texts name
addresses inside the target's VPC: they stay inside. What the route adds to answers is not added to those of filters where a rule answers itself."""


def route_configurations(listeners: Iterable[HttpListener], report: Callable[[Problem], None], memo: Memo) -> list[Document]:
    """All services of one listener, or of all that share their routes, by Host (the port in it plays no part and stays in it); any other name is a 404."""
    owners: dict[str, HttpListener] = {}
    for listener_plan in listeners:
        owners.setdefault(listener_plan.route_configuration, listener_plan)
    claims = memo.map(_claims, [plan.virtual_hosts for plan in owners.values()])
    for plan, claimed in zip(owners.values(), claims, strict=True):
        for host, domain in claimed.refused:
            report(Problem("vpc-lattice:Service", host.service_id, f"{domain} already names another service on port {plan.port} of {plan.vpc_id}"))
    pairs = [pair for claimed in claims for pair in claimed.hosts]
    rendered = iter(memo.map(_virtual_host, [host for host, _ in pairs], [domains for _, domains in pairs]))
    hosts = {name: tuple(islice(rendered, len(claimed.hosts))) for name, claimed in zip(owners, claims, strict=True)}
    return list(memo.map(_route_configuration, owners.values(), memo.steady(_route_configuration, hosts).values()))


class _Claims(NamedTuple):
    """hosts: with the names that each has, in order of service. refused: what a host may not have, because another one has it."""

    hosts: tuple[tuple[VirtualHost, tuple[str, ...]], ...]
    refused: tuple[tuple[VirtualHost, str], ...]


def _claims(virtual_hosts: tuple[VirtualHost, ...]) -> _Claims:
    taken: set[str] = set()
    hosts: list[tuple[VirtualHost, tuple[str, ...]]] = []
    refused: list[tuple[VirtualHost, str]] = []
    for host in sorted(virtual_hosts, key=lambda item: item.service_id):
        clashes = taken.intersection(host.domains)
        domains = tuple(domain for domain in host.domains if domain not in taken) if clashes else host.domains
        refused += [(host, domain) for domain in sorted(clashes)]
        taken.update(domains)
        if domains:
            hosts.append((host, domains))
    return _Claims(tuple(hosts), tuple(refused))


def _route_configuration(plan: HttpListener, hosts: tuple[Document, ...]) -> Document:
    return {
        "name": plan.route_configuration,
        "virtual_hosts": [*hosts, _UNKNOWN_HOST],
        "ignore_port_in_host_matching": True,
        "request_headers_to_add": [
            _header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
            _header("x-forwarded-port", str(plan.port)),
            _header("x-forwarded-proto", plan.scheme),
            _header("x-amzn-lattice-network", f"SourceVpcArn=%FILTER_STATE({SOURCE_VPC_ARN}:PLAIN)%"),
            _header("x-amzn-source-vpc", f"%FILTER_STATE({SOURCE_VPC}:PLAIN)%"),
        ],
        "request_headers_to_remove": ["x-envoy-external-address", "x-envoy-internal", *([VERSION_HEADER] if plan.server_names else [])],
        "response_headers_to_add": [_REQUEST_ID_BACK],
    }


_UNKNOWN_HOST: Document = {
    "name": "unknown-host",
    "domains": ["*"],
    "routes": [{"match": {"prefix": ""}, "direct_response": {"status": 404}}],
    "typed_per_filter_config": {LUA: any_of(_PER_ROUTE_LUA, disabled=True), UNDECIDED: _OFF},
}


def _virtual_host(host: VirtualHost, domains: tuple[str, ...]) -> Document:
    words = (host.service_network_arn, host.service_arn, host.listener_id, "yes" if host.authorize else "no")
    document: Document = {
        "name": host.service_id,
        "domains": list(domains),
        "routes": [_route(host, variant) for route in host.routes for variant in variants(route)],
        "typed_per_filter_config": _authorization(host),
        "metadata": {"filter_metadata": {METADATA_NAMESPACE: {"service": " ".join(words)}}},
    }
    return document if host.authorize else {**document, "request_headers_to_remove": [IDENTITY_HEADER]}


def _authorization(host: VirtualHost) -> Document:
    """What the filter is told about what the request is for; where it came in, it knows from the connection's state."""
    if not host.authorize:
        return {LUA: any_of(_PER_ROUTE_LUA, disabled=True), UNDECIDED: _OFF}
    return {LUA: any_of(_PER_ROUTE_LUA, filter_context={"at": f"{host.service_arn} {host.service_network_arn}"})}


def _route(host: VirtualHost, variant: Variant) -> Document:
    route = variant.route
    document: Document = {"name": route.rule_id, "match": conditions(_match(route.match), variant)}
    if variant.refuses:
        return {**document, "name": f"{route.rule_id} {REFUSED}", "direct_response": {"status": STATUS}}
    weighted = [(name, weight) for name, weight in route.clusters if weight > 0]
    if route.fixed_status:
        return {**document, "direct_response": {"status": route.fixed_status}}
    if not weighted:
        # a forward action whose weights are all zero has nowhere to go: the service cannot connect to a target
        return {**document, "direct_response": {"status": 500}}
    arns = dict(route.target_groups)
    clusters = [
        {"name": name, "weight": weight, "request_headers_to_add": [_target_header(host, arns.get(name, "-"))]} for name, weight in weighted
    ]
    idle = seconds(host.idle_timeout)
    # no limit on the whole request, only on silence: the idle timeout governs ("Quotas for Amazon VPC Lattice")
    return {**document, "route": {"weighted_clusters": {"clusters": clusters}, "timeout": "0s", "idle_timeout": idle}}


def _target_header(host: VirtualHost, target_group_arn: str) -> Document:
    value = f"ServiceArn={host.service_arn}; ServiceNetworkArn={host.service_network_arn}; TargetGroupArn={target_group_arn}"
    return _header("x-amzn-lattice-target", literal(value))


def _match(match: RouteMatch) -> Document:
    document: Document = {"path": match.path} if match.path_mode == "exact" else {"prefix": match.path if match.path_mode == "prefix" else ""}
    if match.path_mode != "any" and not match.case_sensitive:
        document["case_sensitive"] = False
    headers = [_header_match(header) for header in match.headers]
    if match.method:
        headers.insert(0, {"name": ":method", "string_match": {"exact": match.method}})
    if headers:
        document["headers"] = headers
    return document


def _header_match(header: HeaderMatch) -> Document:
    return {"name": header.name, "string_match": {header.mode: header.value, "ignore_case": not header.case_sensitive}}
