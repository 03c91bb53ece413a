"""When each access key was last used, kept beside the resources: a call that only reads makes no new revision ("GetAccessKeyLastUsed").

Calls of the API count, if they were not refused; requests to services of the network do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from latticewall.store import Snapshot, Transaction

LONG_TERM = "AKIA"
PRECISION = timedelta(minutes=1)
"""A use of the same service and region within this time of the one on record is not written down."""


@dataclass(frozen=True)
class KeyUse:
    """at: ISO 8601 text. service: as its signatures name it."""

    at: str
    service: str
    region: str


def last_use(snapshot: Snapshot, access_key_id: str) -> KeyUse | None:
    """None for a key that was never used."""
    return _read(snapshot.cursor(_name(access_key_id)))


def _read(written: str) -> KeyUse | None:
    return KeyUse(*written.split(" ")) if written else None


def note_use(tx: Transaction, access_key_id: str, service: str, region: str) -> None:
    """Keys of sessions are not followed: they end by themselves."""
    if not access_key_id.startswith(LONG_TERM):
        return
    known = _read(tx.steady_cursor(_name(access_key_id)))
    same = known is not None and (known.service, known.region) == (service, region)
    if known is None or not same or abs(datetime.fromisoformat(tx.now) - datetime.fromisoformat(known.at)) >= PRECISION:
        tx.move_cursor(_name(access_key_id), f"{tx.now} {service} {region}")


def forget_use(tx: Transaction, access_key_id: str) -> None:
    """The key is gone."""
    tx.move_cursor(_name(access_key_id), "")


def _name(access_key_id: str) -> str:
    return f"access-key {access_key_id}"
