"""One Envoy listener for each socket: HTTP, HTTPS and TLS_PASSTHROUGH listeners of different services may have the same port."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from latticewall.base.memo import Memo

Document = dict[str, Any]


def socket_name(listener_name: str) -> str:
    """The name of the Envoy listener behind a plan's listener: that of its socket, whatever protocols come and go there."""
    return f"http-{listener_name.partition('-')[2]}"


def by_socket(documents: Iterable[Document], memo: Memo) -> list[Document]:
    """Listeners on one socket as one: what begins with a TLS handshake goes by server name, the rest is HTTP."""
    found = tuple(documents)
    return list(chain.from_iterable(memo.map(_joined, memo.grouped(by_socket, memo.map(_socket, found), found).values())))


def _socket(document: Document) -> tuple[str, str, int]:
    address = document["address"]["socket_address"]
    return address["network_namespace_filepath"], address["address"], address["port_value"]


def _joined(documents: tuple[Document, ...]) -> list[Document]:
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
