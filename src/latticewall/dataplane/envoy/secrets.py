"""Certificates with their private keys, as Envoy gets them: the only place where a key is revealed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from latticewall.base.secret import Secret
from latticewall.compile.render.envoy import TYPE_URLS
from latticewall.dataplane.envoy.delta import Resource
from latticewall.dataplane.envoy.protobufs import pack
from latticewall.plan.https import Certificate

Pairs = Callable[[Certificate], tuple[str, Secret] | None]
"""A certificate with its chain (PEM) and its private key; None for one that has gone."""


class Gone(RuntimeError):
    """A certificate that is to be served does not exist any more."""


class Secrets:
    """Makes each certificate's resource once, and again when the plan says that it has changed; Lattice's own are asked for every time: they are renewed."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        self._made: dict[str, tuple[Certificate, Resource]] = {}

    def resources(self, certificates: Mapping[str, Certificate]) -> dict[str, Resource]:
        """By name. Raises Gone."""
        made = {name: (wanted, self._resource(wanted)) for name, wanted in certificates.items()}
        self._made = made
        return {name: resource for name, (_, resource) in made.items()}

    def _resource(self, wanted: Certificate) -> Resource:
        before, resource = self._made.get(wanted.name, (None, None))
        if resource is not None and before == wanted and wanted.arn:
            return resource
        pair = self._pairs(wanted)
        if pair is None:
            raise Gone(f"certificate {wanted.arn} does not exist any more")
        chain, key = pair
        version = hashlib.sha256(chain.encode()).hexdigest()[:20]
        if resource is not None and resource.version == version:
            return resource
        certificate = {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key.reveal()}}
        return Resource(version, pack(TYPE_URLS["secrets"], {"name": wanted.name, "tls_certificate": certificate}))
