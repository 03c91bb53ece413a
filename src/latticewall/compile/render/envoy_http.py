"""HTTP and HTTPS listeners: one port in one VPC. Their services and routes are in `envoy_routes`.

Order for a request: strip what only the service network may say, mark the request as undecided and set its id (before anything looks at it), choose the
service by Host and the rule, decide (the Lua filter), refuse what is still undecided, then add what targets are promised and forward.
Pages followed: "HTTP listeners", "Listener rules for your VPC Lattice service", "HTTP targets in VPC Lattice", "Quotas for Amazon VPC Lattice".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from latticewall.base.lattice_headers import OURS_TO_SAY
from latticewall.compile.render import envoy_https
from latticewall.compile.render.envoy_clusters import any_of, seconds
from latticewall.compile.render.envoy_log import IDENTITY_HEADER, http_access_log, literal
from latticewall.compile.render.envoy_versions import SERVICES_HEADER
from latticewall.plan.proxy import HttpListener
from latticewall.policy.to_lua import literal as lua_literal

if TYPE_CHECKING:
    from latticewall.compile.render.envoy_paths import EnvoyPaths

Document = dict[str, Any]

LUA = "envoy.filters.http.lua"
UNDECIDED = "envoy.filters.http.fault"
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
SOURCE_VPC, SOURCE_VPC_ARN = "x-amzn-source-vpc", "x-amzn-lattice-network"
"""What is said of the listener a request came in by is set there. Routes hold nothing of it, so that all VPCs of a service network share them."""

_NOBODY = {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]}
"""No client is trusted with Envoy's own control headers (x-envoy-retry-on, ...), whatever its address. An empty list would trust everybody."""

_EXTENSIONS = "envoy.extensions.filters"
_ADS = {"ads": {}, "resource_api_version": "V3"}
SCOPED_ROUTES: Document = {
    "name": "services",
    "scope_key_builder": {
        "fragments": [
            {"header_value_extractor": {"name": SERVICES_HEADER, "element_separator": " ", "index": 0}},
            {"header_value_extractor": {"name": ":authority", "element_separator": ":", "index": 0}},
        ]
    },
    "rds_config_source": _ADS,
    "scoped_rds": {"scoped_rds_config_source": _ADS},
}
"""Where every connection manager finds the routes of a request (docs/decisions/0020-scopes-of-services.md): by what its listener says in a header,
and by the host that it names, without the port. A pair that is no scope has no route."""


def listener(plan: HttpListener, paths: EnvoyPaths) -> Document:
    """The socket and the connection settings of one (VPC, port); everything about services is in their routes, which it may share with others."""
    document = {"name": plan.name, "address": socket_address(plan.address, plan.port, paths.namespace(plan.namespace))}
    if not plan.server_names:
        return {**document, "filter_chains": [{"filters": [_connection_manager(plan, paths, plan.idle_timeout)]}]}
    chains = [
        {
            "filter_chain_match": envoy_https.match(names),
            "filters": [_connection_manager(plan, paths, names.idle_timeout)],
            "transport_socket": envoy_https.transport_socket(names),
        }
        for names in plan.server_names
    ]
    return {**document, "listener_filters": envoy_https.listener_filters(), "filter_chains": chains}


def _connection_manager(plan: HttpListener, paths: EnvoyPaths, idle_timeout: int) -> Document:
    config = any_of(
        f"{_EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="service_network",
        scoped_routes=SCOPED_ROUTES,
        http_filters=[_authorization_filter(plan, paths), _refuse_undecided(), _answers_and_trailers(), router()],
        access_log=[http_access_log(plan, paths.access_log)],
        early_header_mutation_extensions=[_early_header_mutation(plan)],
        common_http_protocol_options={
            "idle_timeout": seconds(idle_timeout),
            "max_connection_duration": seconds(MAX_CONNECTION_DURATION),
            "max_headers_count": MAX_HEADERS,
        },
        http1_safe_max_connection_duration=True,
        # a rule may name any method, as HTTP/2 may bring any; HTTP/1.0 is read so that the route of its service can refuse it
        http_protocol_options={"allow_custom_methods": True, "accept_http_10": True, "enable_trailers": True},
        http2_protocol_options={"max_concurrent_streams": MAX_STREAMS},
        max_request_headers_kb=MAX_HEADERS_KB,
        stream_idle_timeout=seconds(DEFAULT_IDLE),  # from the first byte of a request: a limit for its head, too
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


def socket_address(address: str, port: int, namespace: str) -> Document:
    return {"socket_address": {"address": address, "port_value": port, "network_namespace_filepath": namespace}}


def _authorization_filter(plan: HttpListener, paths: EnvoyPaths) -> Document:
    """Signature and policies, decided in LuaJIT from tables that the control plane keeps (dataplane/envoy/lua/filter.lua).

    Every filter chain has a Lua state in every worker. It reads the filter with its first request: most chains never have one that must be decided. Where
    a request came in is part of the text: from configuration, out of the client's reach.
    """
    place = f"{plan.vpc_id} {plan.vpc_owner} {plan.port}" + (" tls" if plan.server_names else "")
    source = _LOADER.format(path=lua_literal(paths.authorization), place=lua_literal(place))
    return {"name": LUA, "typed_config": any_of(f"{_EXTENSIONS}.http.lua.v3.Lua", default_source_code={"inline_string": source}, clear_route_cache=False)}


_LOADER = """local decide
function envoy_on_request(handle)
  if not decide then
    assert(loadfile({path}))()
    decide = envoy_on_request
  end
  return decide(handle, {place})
end
jit.off(envoy_on_request)
"""
"""The file defines the function again. When it cannot be read, every request is left undecided, and refused."""


def _refuse_undecided() -> Document:
    """Envoy lets a request go on when a Lua filter fails; this one does not: it aborts every request with the mark. The filter for RBAC could do the same, for
    twice the time."""
    undecided = {"name": IDENTITY_HEADER, "string_match": {"exact": PENDING}}
    abort = {"http_status": 403, "percentage": {"numerator": 100, "denominator": "HUNDRED"}}
    return {"name": UNDECIDED, "typed_config": any_of(f"{_EXTENSIONS}.http.fault.v3.HTTPFault", abort=abort, headers=[undecided])}


_OURS_REMOVED = [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in OURS_TO_SAY]
NO_TRAILERS = (
    "authorization", "connection", "content-encoding", "content-length", "content-range", "content-type", "cookie", "expect", "host", "keep-alive", "te",
    "trailer", "transfer-encoding", "upgrade",
)  # fmt: skip
"""What frames, routes or vouches for a message, or says how to read it, has no place behind it (RFC 9110, section 6.5.1)."""
_NO_TRAILERS_REMOVED = [{"remove_on_match": {"key_matcher": matcher}} for matcher in ({"prefix": "x-forwarded-"}, *({"exact": name} for name in NO_TRAILERS))]


def _answers_and_trailers() -> Document:
    """The id of a request in its answer, in the place of the target's own: what is dropped without being looked up by its name costs Envoy no index of the
    answer's headers. Some servers take trailers for headers: what only the service network says, no client says there either."""
    id_back = [{"remove_on_match": {"key_matcher": {"exact": REQUEST_ID}}}, {"append": header(REQUEST_ID, _ID, _ADD)}]
    mutations = {"response_mutations": id_back, "request_trailers_mutations": [*_OURS_REMOVED, *_NO_TRAILERS_REMOVED]}
    return {"name": "trailers", "typed_config": any_of(f"{_EXTENSIONS}.http.header_mutation.v3.HeaderMutation", mutations=mutations)}


def router() -> Document:
    """Counts no answers by code and cluster: names put together and looked up for every request, which nobody reads, as metrics come out of the access log."""
    return {"name": "router", "typed_config": any_of(f"{_EXTENSIONS}.http.router.v3.Router", suppress_envoy_headers=True, dynamic_stats=False)}


def _early_header_mutation(plan: HttpListener) -> Document:
    """Before routing and authorization: drop the client's copies of what only the service network says, mark as undecided, say where it came in, settle the
    request id. Constants here cost a fifth of what the same headers cost that a route makes out of the connection's state; what cannot be there any more is
    added without looking for it."""
    config = any_of(
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[
            *_OURS_REMOVED,
            {"append": header(IDENTITY_HEADER, PENDING)},
            {"append": header(SERVICES_HEADER, f"{literal(plan.services)} %PROTOCOL%", _ADD)},
            {"append": header(SOURCE_VPC_ARN, literal(f"SourceVpcArn={plan.vpc_arn}"), _ADD)},
            {"append": header(SOURCE_VPC, literal(plan.vpc_id), _ADD)},
            {"append": header(_OWN_ID_HEADER, _OWN_ID, _ADD)},
            {"remove": REQUEST_ID},
            {"append": header(REQUEST_ID, _OWN_OR_NEW_ID, _ADD)},
            {"remove": _OWN_ID_HEADER},
        ],
    )
    return {"name": "identity-headers", "typed_config": config}


def header(name: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Document:
    return {"header": {"key": name, "value": value}, "append_action": action}


def _local_reply(condition: Document, status: int, body: str) -> Document:
    return {"filter": condition, "status_code": status, "body": {"inline_string": body}, "headers_to_add": [_ID_BACK]}


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

_ADD = "APPEND_IF_EXISTS_OR_ADD"
_OWN_ID_HEADER = "x-amzn-lattice-own-id"
_OWN_ID = f"%REQ({REQUEST_ID.upper()}):{REQUEST_ID_LENGTH}%"
_OWN_OR_NEW_ID = f'%COALESCE({{"operators": [{{"command": "REQ", "param": "{_OWN_ID_HEADER.upper()}"}}, "UNIQUE_ID"]}})%'
"""Envoy takes an empty header for one that is there, but adds none: so the client's id is what is there after it was copied."""

_ID = f"%REQ({REQUEST_ID.upper()})%"
_ID_BACK = header(REQUEST_ID, _ID)

_A_REQUEST = {"header_filter": {"header": {"name": ":method", "present_match": True}}}
"""Not the silence of a client that does not end the head of its request, to which Envoy answers 408."""
_NO_REQUEST = [_status(403), {"header_filter": {"header": {"name": ":method", "present_match": True, "invert_match": True}}}]
"""Envoy's answer to a request line that names https where nothing is encrypted: it read no request, so nobody was denied anything."""

_LOCAL_REPLIES = [
    _local_reply(_status(431), 400, "Bad Request"),
    _local_reply({"and_filter": {"filters": _NO_REQUEST}}, 400, "Bad Request"),
    _local_reply({"and_filter": {"filters": _UPGRADE}}, 400, "Bad Request"),
    _local_reply(_flags("UF", "UO"), 500, "Internal Server Error"),
    _local_reply(_flags("UC", "UR", "UPE"), 502, "Bad Gateway"),
    _local_reply(_flags("UH", "NC"), 503, "Service Unavailable"),
    _local_reply(_flags("UT"), 504, "Gateway Timeout"),
    _local_reply({"and_filter": {"filters": [_flags("SI"), _A_REQUEST]}}, 504, "Gateway Timeout"),
    _local_reply(_flags("FI"), 403, "AccessDeniedException: the request could not be decided"),
    {"filter": _status(100, "GE"), "headers_to_add": [_ID_BACK]},
]
"""Codes of the proxy's own answers: "can't connect to targets" is a 500, a target's fault a 502 ("HTTP targets in VPC Lattice"). Envoy's texts name
addresses inside the target's VPC: they stay inside. No filter sees the answers to requests that Envoy cannot read: their ids are added here."""
