"""What Envoy writes for every request and every connection: one JSON object per line, read by `telemetry.access_log`.

Member names follow the access-log fields of VPC Lattice ("Access logs for VPC Lattice") where there is one. A line starts with `kind`: `http`, `tcp` or `tls`.
"""

from __future__ import annotations

import json
from typing import Any

from latticewall.compile.render.envoy_clusters import METADATA_NAMESPACE, any_of
from latticewall.plan.access_log import COUNTED_MEMBERS, TOLD_MEMBERS
from latticewall.plan.proxy import HttpListener, TcpDecision, TcpListener

Document = dict[str, Any]

IDENTITY_HEADER = "x-amzn-lattice-identity"
IDENTITY_TAGS_HEADER = "x-amzn-lattice-identity-tags"


def literal(text: str) -> str:
    """Text that Envoy's format strings must not interpret."""
    return text.replace("%", "%%")


def http_access_log(listener: HttpListener, path: str) -> Document:
    """One line per request: its members in the order of `plan.access_log`. Durations: to the target = sending it the request; from the target = from then until
    its answer is complete. decision: what the authorization filter reports of a request that it denies, or would deny; an allowed caller is in the
    identity headers."""
    formats: dict[str, str | None] = {
        "startTime": "%START_TIME(%Y-%m-%dT%H:%M:%SZ)%",
        "requestId": "%REQ(X-AMZN-REQUESTID)%",
        "service": "%ROUTE_NAME%",
        # the space makes it a text: metadata as a value of any type costs twice as much
        "target": f"%METADATA(CLUSTER:{METADATA_NAMESPACE}:target)% ",
        "source": literal(" ".join(filter(None, (listener.vpc_arn, listener.vpc_endpoint_id)))),
        "sourceAddress": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
        "sourcePort": "%DOWNSTREAM_DIRECT_REMOTE_PORT%",
        "targetIpPort": "%UPSTREAM_HOST%",
        "identity": f"%REQ({IDENTITY_HEADER.upper()})%",
        "identityTags": f"%REQ({IDENTITY_TAGS_HEADER.upper()})%",
        "decision": f"%DYNAMIC_METADATA({METADATA_NAMESPACE})%",
        "requestMethod": "%REQ(:METHOD)%",
        "requestPath": "%PATH(NQ:PATH)%",
        "hostHeader": "%REQ(:AUTHORITY)%",
        "userAgent": "%REQ(USER-AGENT)%",
        "protocol": "%PROTOCOL%",
        "responseCode": "%RESPONSE_CODE%",
        "grpcResponseCode": "%GRPC_STATUS_NUMBER%",
        "bytesReceived": "%DOWNSTREAM_WIRE_BYTES_RECEIVED%",
        "bytesSent": "%DOWNSTREAM_WIRE_BYTES_SENT%",
        "duration": "%DURATION%",
        "requestToTargetDuration": "%COMMON_DURATION(US_TX_BEG:US_TX_END:ms)%",
        "responseFromTargetDuration": "%COMMON_DURATION(US_TX_END:US_RX_END:ms)%",
        "serverNameIndication": "%REQUESTED_SERVER_NAME%",
        "sslCipher": "%DOWNSTREAM_TLS_CIPHER%",
        "tlsVersion": "%DOWNSTREAM_TLS_VERSION%",
        "responseFlags": "%RESPONSE_FLAGS%",
        "responseCodeDetails": "%RESPONSE_CODE_DETAILS%",
    }
    if not listener.server_names:
        formats |= dict.fromkeys(("serverNameIndication", "sslCipher", "tlsVersion"))
    return file_log(path, {"http": [[formats[name] for name in names] for names in (COUNTED_MEMBERS, TOLD_MEMBERS)]})


def tcp_access_log(listener: TcpListener, decision: TcpDecision | None, path: str) -> Document:
    """One line per connection: when the resource has been reached, or when the attempt has failed. decision: that of audit mode."""
    members: Document = {
        "kind": "tcp",
        "eventTimestamp": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
        "serviceNetworkArn": literal(listener.service_network_arn),
        "serviceNetworkResourceAssociationId": literal(listener.association_id),
        **({"vpcEndpointId": literal(listener.vpc_endpoint_id)} if listener.vpc_endpoint_id else {}),
        "sourceVpcArn": literal(listener.vpc_arn),
        "resourceConfigurationArn": literal(listener.resource_configuration_arn),
        **({"resourceConfigurationGroupArn": literal(listener.group_arn)} if listener.group_arn else {}),
        "sourceIpPort": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "destinationIpPort": "%DOWNSTREAM_LOCAL_ADDRESS%",
        "gatewayIpPort": "%UPSTREAM_LOCAL_ADDRESS%",
        "resourceIpPort": "%UPSTREAM_HOST%",
        "responseFlags": "%RESPONSE_FLAGS%",
    }
    if decision and decision.layer:
        note = denial_note(decision.layer, explicit=decision.explicit, statement=decision.statement)
        members |= {"authDeniedReason": decision.layer, "authDetail": literal(note), "enforced": "no"}
    connected = {"log_type_filter": {"types": ["TcpUpstreamConnected"]}}
    failed = {"and_filter": {"filters": [{"log_type_filter": {"types": ["TcpConnectionEnd"]}}, {"response_flag_filter": {"flags": ["UF", "UH", "NC"]}}]}}
    return {**file_log(path, members), "filter": {"or_filter": {"filters": [connected, failed]}}}


def denial_note(layer: str, *, explicit: bool, statement: int) -> str:
    """In the form in which the authorization filter of HTTP listeners notes a denial."""
    noted = {"layer": layer, "policy": f"{layer.lower()}-based policy", "explicit": explicit, "statement": statement}
    return json.dumps(noted, separators=(",", ":"))


def file_log(path: str, members: Document) -> Document:
    config = any_of("envoy.extensions.access_loggers.file.v3.FileAccessLog", path=path, log_format={"json_format": members})
    return {"name": "file", "typed_config": config}
