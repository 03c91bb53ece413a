"""The TLS that HTTPS listeners end ("HTTPS listeners"): versions, suites and ALPN, and which certificate answers to which server name.

Certificates come by SDS, so that another one in the place of the first closes no connection. What asks for no name, or for one that nobody has, meets no
filter chain: the connection is closed. A service with a custom name has a chain of its own, so that adding it touches no connection to another.
"""

from __future__ import annotations

from typing import Any

from latticewall.compile.render.envoy_clusters import any_of
from latticewall.plan.https import ServerNames

Document = dict[str, Any]

SUITES = (
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES128-SHA",
    "AES256-GCM-SHA384",
    "AES256-SHA",
)
"""Of TLS 1.2, in the server's order; those of TLS 1.3 are the three that the protocol has and everybody offers."""
ALPN = ("h2", "http/1.1")
"""AWS's policy HTTP2Preferred; a client without ALPN speaks HTTP/1.1."""
INSPECTOR = any_of("envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector")


def listener_filters() -> list[Document]:
    """What reads the server name out of a client's first message."""
    return [{"name": "server-name", "typed_config": INSPECTOR}]


def match(names: ServerNames) -> Document:
    """Of a filter chain."""
    return {"transport_protocol": "tls", "server_names": list(names.names)}


def transport_socket(names: ServerNames) -> Document:
    """Of a filter chain."""
    certificate = {"name": names.certificate, "sds_config": {"ads": {}, "resource_api_version": "V3"}}
    context = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3", "cipher_suites": list(SUITES)},
        "alpn_protocols": list(ALPN),
        "tls_certificate_sds_secret_configs": [certificate],
    }
    return {"name": "tls", "typed_config": any_of("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", common_tls_context=context)}


def certificates_of(listener: Document) -> tuple[str, ...]:
    """Names of the certificates that a listener is incomplete without."""
    contexts = (chain["transport_socket"]["typed_config"]["common_tls_context"] for chain in listener["filter_chains"] if "transport_socket" in chain)
    return tuple(certificate["name"] for context in contexts for certificate in context["tls_certificate_sds_secret_configs"])
