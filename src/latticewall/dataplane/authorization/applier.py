"""Keeps the proxy's tables equal to the plan, with signing keys derived for the days around now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from latticewall.auth.lattice import SERVICE
from latticewall.auth.sigv4 import derive_signing_key
from latticewall.auth.sigv4a import derive_ecdsa_public_key
from latticewall.base.memo import Memo
from latticewall.base.ports import Clock
from latticewall.base.secret import Secret
from latticewall.compile.render.authorization import identity_chunk, key_chunk, layer_chunk
from latticewall.dataplane.authorization.tables import Tables
from latticewall.plan.authorization import AuthKey, AuthLayer, AuthorizationPlan
from latticewall.plan.node import NodePlan
from latticewall.reconcile.applier import Report

LIFE = timedelta(hours=24)
"""How long the tables may be used without a control plane."""
_DAYS = (-2, -1, 0, 1)
"""A session lives up to 36 hours, and so may what it has presigned; the key of tomorrow, so that midnight needs nobody."""
_PRESIGNED_DAYS = tuple(range(-7, 2))
"""Long-term keys: a presigned request may be a week old."""
RENEWED_AT_ONCE = 200
"""Access keys whose signing keys follow the date in one round: every key has today's already, and a change should not wait for all of them."""

T = TypeVar("T")
Secrets = Callable[[str], Secret | None]
Scope = tuple[str, str]
"""The day (20260102) and region a signing key is good for."""


class AuthorizationApplier:
    """secrets: access key id -> secret access key, None for one that is unknown; asked once per key and day, and only what is derived from it is kept."""

    name = "authorization"

    def __init__(self, tables: Tables, secrets: Secrets, clock: Clock) -> None:
        self._tables = tables
        self._secrets = secrets
        self._clock = clock
        self._memo = Memo()
        self._keys: dict[str, tuple[AuthKey, _Derived]] = {}
        self._complete_for: tuple[object, ...] = ()

    def apply(self, plan: NodePlan) -> Report:
        """What is in the tables is in force with the next request. Only what differs from the last plan is rendered and compared."""
        wanted = plan.authorization
        self._tables.extend(int((self._clock.now() + LIFE).timestamp()))
        changed = self._write_keys(wanted)
        changed += self._write("identities", wanted.identities, identity_chunk)
        changed += self._write("networks", wanted.networks, layer_chunk)
        changed += self._write("services", wanted.services, layer_chunk)
        if changed:
            self._tables.announce()
        return Report(changed)

    def _write(self, kind: str, items: tuple[T, ...], render: Callable[[T], str]) -> int:
        return self._tables.write(kind, self._memo.index(kind, self._memo.map(_ID, items, of=kind), items), render)

    def _write_keys(self, plan: AuthorizationPlan) -> int:
        """Every access key whose secret is known."""
        today = self._clock.now()
        regions = sorted({*self._memo.map(_region_of, plan.services)})
        given = (plan.keys, today.date(), regions)
        if given == self._complete_for:
            return 0
        temporary, long_term = (_scopes(today, days, regions) for days in (_DAYS, _PRESIGNED_DAYS))
        urgent = frozenset(_scopes(today, (0,), regions))
        left = RENEWED_AT_ONCE
        keys = {}
        for key in plan.keys:
            scopes = temporary if key.token_digest else long_term
            _, derived = self._keys.get(key.access_key_id) or (key, None)
            if derived is None or (derived.scopes != scopes and (left > 0 or not urgent.issubset(derived.scopes))):
                left -= derived is not None
                derived = _derive(key.access_key_id, self._secrets(key.access_key_id), scopes, derived)
            if derived is not None:
                keys[key.access_key_id] = (key, derived)
        self._keys = keys
        self._complete_for = given if left > 0 and len(keys) == len(plan.keys) else ()
        return self._tables.write("keys", keys, _key_chunk)


_ID = attrgetter("id")


def _region_of(layer: AuthLayer) -> str:
    return layer.arn.split(":")[3]


class _Derived:
    """What the proxy may know of a secret access key. Never printed."""

    __slots__ = ("ecdsa", "scopes", "signing")

    def __init__(self, scopes: tuple[Scope, ...], signing: Mapping[str, bytes], ecdsa: bytes) -> None:
        self.scopes = scopes
        self.signing = signing
        self.ecdsa = ecdsa


def _key_chunk(entry: tuple[AuthKey, _Derived]) -> str:
    key, derived = entry
    return key_chunk(key, derived.signing, derived.ecdsa)


def _scopes(today: datetime, days: Iterable[int], regions: Iterable[str]) -> tuple[Scope, ...]:
    return tuple((f"{today + timedelta(days=offset):%Y%m%d}", region) for offset in days for region in regions)


def _derive(key_id: str, secret: Secret | None, scopes: tuple[Scope, ...], before: _Derived | None) -> _Derived | None:
    """None for a key whose secret is gone. before: what is known already."""
    if secret is None:
        return None
    text = secret.reveal()
    known = before.signing if before else {}
    names = {f"{day}/{region}": (day, region) for day, region in scopes}
    signing = {name: known.get(name) or derive_signing_key(text, *scope, SERVICE) for name, scope in names.items()}
    return _Derived(scopes, signing, before.ecdsa if before else derive_ecdsa_public_key(key_id, text))


def write_filter(folder: Path, source: str, name: str) -> Path:
    """Put the filter's Lua where Envoy reads it, under a name of its own for each content."""
    path = folder / f"authorization-{name}.lua"
    if not path.exists():
        new = path.with_suffix(".new")
        new.write_text(source)
        new.replace(path)
    return path
