"""What Envoy writes: for every request a line of plain text (`plan.access_log`), for every connection one JSON object, read by `telemetry.access_log`.

Member names follow the access-log fields of VPC Lattice ("Access logs for VPC Lattice") where there is one. JSON starts with `kind`: `tcp` or `tls`.
"""

from __future__ import annotations

import json
from typing import Any

from latticewall.compile.render.envoy_clusters import METADATA_NAMESPACE, any_of
from latticewall.plan.access_log import BEGINNING, COUNTED_MEMBERS, END_OF_MEMBER, END_OF_PART, TOLD_MEMBERS
from latticewall.plan.proxy import HttpListener, TcpDecision, TcpListener

Document = dict[str, Any]

IDENTITY_HEADER = "x-amzn-lattice-identity"
IDENTITY_TAGS_HEADER = "x-amzn-lattice-identity-tags"


def literal(text: str) -> str:
    """Text that Envoy's format strings must not interpret."""
    return text.replace("%", "%%")


def http_access_log(listener: HttpListener, path: str) -> Document:
    """One line per request: its members in the order of `plan.access_log`, without a value empty. As JSON the same costs 6 thousand instructions more, a third
    of it all. Durations: to the target = sending it the request; from the target = from then until
    its answer is complete. decision: what the authorization filter reports of a request that it denies, or would deny; an allowed caller is in the
    identity headers."""
    formats = {
        "startTime": "%START_TIME(%Y-%m-%dT%H:%M:%SZ)%",
        "requestId": "%REQ(X-AMZN-REQUESTID)%",
        "service": "%ROUTE_NAME%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "source": literal(" ".join(filter(None, (listener.vpc_arn, listener.vpc_endpoint_id)))),
        "sourceIpPort": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
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
        "responseCodeDetails": "%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%",
    }
    if not listener.server_names:
        formats |= dict.fromkeys(("serverNameIndication", "sslCipher", "tlsVersion"), "")
    parts = (END_OF_MEMBER.join(formats[name] for name in names) + END_OF_PART for names in (COUNTED_MEMBERS, TOLD_MEMBERS))
    line = BEGINNING + "".join(parts) + "\n"
    return _file_log(path, {"text_format_source": {"inline_string": line}, "omit_empty_values": True})


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
    """A line of JSON with these members."""
    return _file_log(path, {"json_format": members})


def _file_log(path: str, log_format: Document) -> Document:
    config = any_of("envoy.extensions.access_loggers.file.v3.FileAccessLog", path=path, log_format=log_format)
    return {"name": "file", "typed_config": config}
