"""One Envoy listener for each socket: HTTP, HTTPS and TLS_PASSTHROUGH listeners of different services may have the same port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

Document = dict[str, Any]


def socket_name(listener_name: str) -> str:
    """The name of the Envoy listener behind a plan's listener: that of its socket, whatever protocols come and go there."""
    return f"http-{listener_name.partition('-')[2]}"


def by_socket(documents: Iterable[Document]) -> list[Document]:
    """Listeners on one socket as one: what begins with a TLS handshake goes by server name, the rest is HTTP."""
    sockets: dict[tuple[str, str, int], list[Document]] = defaultdict(list)
    for document in documents:
        address = document["address"]["socket_address"]
        sockets[address["network_namespace_filepath"], address["address"], address["port_value"]].append(document)
    return [listener for found in sockets.values() for listener in _joined(found)]


def _joined(documents: list[Document]) -> list[Document]:
    """Two that want all connections cannot be one: they are left to be found as claiming one socket."""
    unmatched = [chain for document in documents for chain in document["filter_chains"] if "filter_chain_match" not in chain]
    if len(documents) == 1 or len(unmatched) > 1:
        return [{**document, "name": socket_name(document["name"])} for document in documents]
    chains = [
        chain if "filter_chain_match" in chain else {**chain, "filter_chain_match": {"transport_protocol": "raw_buffer"}}
        for document in documents
        for chain in document["filter_chains"]
    ]
    inspector = next(document["listener_filters"] for document in documents if "listener_filters" in document)
    name = socket_name(documents[0]["name"])
    return [{**documents[0], "name": name, "listener_filters": inspector, "filter_chains": chains}]
