"""Keeps the proxy's tables equal to the plan, with signing keys derived for the days around now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from latticewall.auth.lattice import SERVICE
from latticewall.auth.sigv4 import derive_signing_key
from latticewall.auth.sigv4a import derive_ecdsa_public_key
from latticewall.base.ports import Clock
from latticewall.base.secret import Secret
from latticewall.compile.render.authorization import identity_chunk, key_chunk, layer_chunk
from latticewall.dataplane.authorization.tables import Tables
from latticewall.plan.authorization import AuthKey, AuthorizationPlan
from latticewall.plan.node import NodePlan
from latticewall.reconcile.applier import Report

LIFE = timedelta(hours=24)
"""How long the tables may be used without a control plane."""
_DAYS = (-2, -1, 0, 1)
"""A session lives up to 36 hours, and so may what it has presigned; the key of tomorrow, so that midnight needs nobody."""
_PRESIGNED_DAYS = tuple(range(-7, 2))
"""Long-term keys: a presigned request may be a week old."""

Secrets = Callable[[str], Secret | None]


class AuthorizationApplier:
    """secrets: access key id -> secret access key, None for one that is unknown; asked once per key and day, and only what is derived from it is kept."""

    name = "authorization"

    def __init__(self, tables: Tables, secrets: Secrets, clock: Clock) -> None:
        self._tables = tables
        self._secrets = secrets
        self._clock = clock
        self._derived: dict[str, _Derived] = {}
        self._chunks: dict[AuthKey, tuple[_Derived, str]] = {}

    def apply(self, plan: NodePlan) -> Report:
        """What is in the tables is in force with the next request."""
        wanted = plan.authorization
        self._tables.extend(int((self._clock.now() + LIFE).timestamp()))
        changed = self._tables.write("keys", self._keys(wanted))
        changed += self._tables.write("identities", {item.id: identity_chunk(item) for item in wanted.identities})
        changed += self._tables.write("networks", {item.id: layer_chunk(item) for item in wanted.networks})
        changed += self._tables.write("services", {item.id: layer_chunk(item) for item in wanted.services})
        if changed:
            self._tables.announce()
        return Report(changed)

    def _keys(self, plan: AuthorizationPlan) -> dict[str, str]:
        """The chunk of every access key whose secret is known."""
        now = self._clock.now()
        regions = sorted({layer.arn.split(":")[3] for layer in plan.services})
        days = [(offset, (now + timedelta(days=offset)).strftime("%Y%m%d")) for offset in _PRESIGNED_DAYS]
        known, self._derived = self._derived, {}
        chunks, self._chunks = self._chunks, {}
        texts = {}
        for key in plan.keys:
            kept = _DAYS if key.token_digest else _PRESIGNED_DAYS
            scopes = tuple((day, region) for offset, day in days if offset in kept for region in regions)
            derived = known.get(key.access_key_id)
            if derived is None or derived.scopes != scopes:
                derived = _derive(key.access_key_id, self._secrets(key.access_key_id), scopes, derived)
            if derived is None:
                continue
            before = chunks.get(key)
            text = before[1] if before is not None and before[0] is derived else key_chunk(key, derived.signing, derived.ecdsa)
            self._derived[key.access_key_id] = derived
            self._chunks[key] = (derived, text)
            texts[key.access_key_id] = text
        return texts


class _Derived:
    """What the proxy may know of a secret access key. Never printed."""

    __slots__ = ("ecdsa", "scopes", "signing")

    def __init__(self, scopes: tuple[tuple[str, str], ...], signing: Mapping[str, bytes], ecdsa: bytes) -> None:
        self.scopes = scopes
        self.signing = signing
        self.ecdsa = ecdsa


def _derive(key_id: str, secret: Secret | None, scopes: tuple[tuple[str, str], ...], before: _Derived | None) -> _Derived | None:
    """None for a key whose secret is gone."""
    if secret is None:
        return None
    text = secret.reveal()
    signing = {f"{day}/{region}": derive_signing_key(text, day, region, SERVICE) for day, region in scopes}
    return _Derived(scopes, signing, before.ecdsa if before else derive_ecdsa_public_key(key_id, text))


def write_filter(folder: Path, source: str, name: str) -> Path:
    """Put the filter's Lua where Envoy reads it, under a name of its own for each content."""
    path = folder / f"authorization-{name}.lua"
    if not path.exists():
        new = path.with_suffix(".new")
        new.write_text(source)
        new.replace(path)
    return path
