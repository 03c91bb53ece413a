"""TLS_PASSTHROUGH listeners: the server name that a client's first message asks for chooses the service, and the bytes go to its target as they came.

Who may connect is part of what a filter chain matches, by source address: a connection that is denied meets a chain that leads nowhere, and no
target hears of it. A name that no service has matches no chain; the connection is closed.
Pages followed: "TLS listeners", "Quotas for Amazon VPC Lattice" (connections end after ten minutes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from latticewall.compile.render import envoy_https
from latticewall.compile.render.envoy_clusters import METADATA_NAMESPACE, any_of, seconds
from latticewall.compile.render.envoy_http import MAX_CONNECTION_DURATION, socket_address
from latticewall.compile.render.envoy_log import denial_note, file_log, literal
from latticewall.plan.tls_passthrough import TlsDecision, TlsListener, TlsService

if TYPE_CHECKING:
    from latticewall.compile.render.envoy_paths import EnvoyPaths

Document = dict[str, Any]

NOWHERE = "tls-nowhere"
"""A cluster without endpoints: where connections go that may not go on, or whose service has no target group."""
_OPEN = TlsDecision((), allowed=True)


def nowhere() -> Document:
    return {"name": NOWHERE, "type": "STATIC", "connect_timeout": "1s", "load_assignment": {"cluster_name": NOWHERE}}


def listener(plan: TlsListener, paths: EnvoyPaths) -> Document:
    services = sorted(plan.services, key=lambda item: item.service_id)
    return {
        "name": plan.name,
        "address": socket_address(plan.address, plan.port, paths.namespace(plan.namespace)),
        "listener_filters": envoy_https.listener_filters(),
        "filter_chains": [_chain(plan, item, decision, paths) for item in services for decision in item.decisions or (_OPEN,)],
    }


def _chain(plan: TlsListener, service: TlsService, decision: TlsDecision, paths: EnvoyPaths) -> Document:
    match: Document = {"transport_protocol": "tls", "server_names": [service.server_name]}
    if decision.addresses:
        match["source_prefix_ranges"] = [{"address_prefix": address, "prefix_len": 128 if ":" in address else 32} for address in decision.addresses]
    proxy = any_of(
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="tls_passthrough",
        idle_timeout=seconds(service.idle_timeout),
        max_downstream_connection_duration=seconds(MAX_CONNECTION_DURATION),
        access_log=[file_log(paths.access_log, _members(plan, service, decision))],
        **(_destination(service) if decision.allowed else {"cluster": NOWHERE}),
    )
    return {"filter_chain_match": match, "filters": [{"name": "tcp", "typed_config": proxy}]}


def _destination(service: TlsService) -> Document:
    weighted = [{"name": name, "weight": weight} for name, weight in service.clusters if weight > 0]
    return {"weighted_clusters": {"clusters": weighted}} if weighted else {"cluster": NOWHERE}


def _members(plan: TlsListener, service: TlsService, decision: TlsDecision) -> Document:
    """One line per connection, when it ends."""
    members = {
        "kind": "tls",
        "startTime": "%START_TIME(%Y-%m-%dT%H:%M:%SZ)%",
        "serviceNetworkArn": literal(service.service_network_arn),
        "serviceArn": literal(service.service_arn),
        "listenerId": literal(service.listener_id),
        "targetGroupArn": f"%METADATA(CLUSTER:{METADATA_NAMESPACE}:targetGroupArn)%",
        "targetNamespace": f"%METADATA(CLUSTER:{METADATA_NAMESPACE}:namespace)%",
        **({"vpcEndpointId": literal(plan.vpc_endpoint_id)} if plan.vpc_endpoint_id else {}),
        "sourceVpcArn": literal(plan.vpc_arn),
        "sourceVpcId": literal(plan.vpc_id),
        "sourceIpPort": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
        "targetIpPort": "%UPSTREAM_HOST%",
        "serverNameIndication": "%REQUESTED_SERVER_NAME%",
        "bytesReceived": "%BYTES_RECEIVED%",
        "bytesSent": "%BYTES_SENT%",
        "duration": "%DURATION%",
        "responseFlags": "%RESPONSE_FLAGS%",
    }
    if service.decisions:
        members |= {"authorized": "yes", "resolvedUser": "Anonymous"}
    if decision.layer:
        note = denial_note(decision.layer, explicit=decision.explicit, statement=decision.statement)
        members |= {"authDeniedReason": decision.layer, "authDetail": literal(note), "enforced": "no" if decision.allowed else "yes"}
    return members
