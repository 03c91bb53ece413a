"""The region's own account, and the sessions that instance metadata hands out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from latticewall.app import App, iso
from latticewall.auth.assuming import Assumption, refused_action
from latticewall.auth.authorization_message import ensure_message_key, has_message_key
from latticewall.auth.credentials import mint_access_key
from latticewall.auth.sessions import ASSUMED_ROLE, NewSession, open_session
from latticewall.base.rows import Row
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.request import Principal, global_context
from latticewall.store import Snapshot, Transaction

SESSION_HOURS = 6
RENEW_BEFORE = timedelta(hours=1)
"""New credentials appear well before the old ones expire, as AWS does (at least five minutes)."""

MOST_AT_ONCE = 500
"""Expired sessions deleted in one transaction: they are of no use to anybody, and others wait to write."""


def ensure_account(app: App, state: Path, region: str, endpoint: str) -> str:
    """The region's account and its keys, made at first start; the administrator's written for `latticewall env` (mode 600). Returns the account."""
    with app.store.read() as snapshot:
        key = _administrator(snapshot)
        complete = key is not None and has_message_key(snapshot)
    if not complete:
        with app.store.write("latticewall", "start") as tx:
            ensure_message_key(tx, app.random)
            key = _administrator(tx) or _new_administrator(app, tx)
    assert key is not None
    written = {
        "account": key.account, "access_key_id": key.id, "secret_access_key": key.document["_secret"], "region": region, "endpoint": endpoint,
    }  # fmt: skip
    _write_private(state / "credentials.json", json.dumps(written, indent=1) + "\n")
    return key.account


def _new_administrator(app: App, tx: Transaction) -> Row:
    account = str(100_000_000_000 + int.from_bytes(app.random.token_bytes(8), "big") % 900_000_000_000)
    minted = mint_access_key(app.random, account, temporary=False)
    document = {"AccessKeyId": minted.id, "Status": "Active", "_secret": minted.secret.reveal(), "_administrator": True}
    return tx.put(Row("iam:AccessKey", account, "", minted.id, document=document))


def _administrator(snapshot: Snapshot) -> Row | None:
    return next((row for row in snapshot.rows("iam:AccessKey") if row.document.get("_administrator")), None)


def _write_private(path: Path, text: str) -> None:
    """Only when it is not so already: a control plane that comes back needs no space on a full disk."""
    if path.exists() and path.read_text() == text:
        return
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


class StoredSessions:
    """All sessions as they were read for the last round, and which of them a round must look at."""

    def __init__(self) -> None:
        self._all: tuple[Row, ...] = ()
        self._next_end = ""
        self.of_instances: tuple[Row, ...] = ()
        self.of_functions: tuple[Row, ...] = ()

    def see(self, rows: tuple[Row, ...]) -> None:
        """rows: the same object as the last time if nothing has changed."""
        if rows is not self._all:
            self._all = rows
            self._next_end = min((row.document["Expiration"] for row in rows), default="")
            self.of_instances = tuple(row for row in rows if row.document.get("_instance") or not _has_limits(row))
            self.of_functions = tuple(row for row in rows if row.document.get("_function"))

    def to_look_at(self, now: str) -> tuple[Row, ...]:
        """Those of instances, and all when one has expired. now: ISO 8601."""
        return self._all if self._next_end <= now else self.of_instances


def refresh_instance_sessions(app: App, stored: Iterable[Row] | None = None) -> None:
    """Every running instance with a role has a session with time left; sessions of others, and expired ones (a bounded number at once), are gone.

    stored: all sessions, if they were read already. A role that does not trust EC2 gives no new ones. Writes only when something must change, so that an
    unchanged region keeps its revision.
    """
    now = app.clock.now()
    expired_by, renewed_by = iso(now), iso(now + RENEW_BEFORE)
    with app.store.read() as snapshot:
        wanted = _instance_roles(snapshot)
        sessions = snapshot.rows("sts:Session") if stored is None else list(stored)
        expired = [row for row in sessions if row.document["Expiration"] <= expired_by]
        lasting = [row for row in sessions if row.document["Expiration"] > expired_by and _is_current(row, wanted)]
        stale = expired[:MOST_AT_ONCE] + [row for row in sessions if row.document["Expiration"] > expired_by and not _is_current(row, wanted)]
        fresh = {row.document.get("_instance") for row in lasting if row.document["Expiration"] > renewed_by}
        missing = [(instance, role) for instance, role in wanted.items() if instance not in fresh and _lets_ec2_in(snapshot, role, now)]
    if not stale and not missing:
        return
    with app.store.write("latticewall", "instance metadata") as tx:
        for row in stale:
            tx.delete(row)
        for instance_id, role in missing:
            instance, held = tx.get("ec2:Instance", instance_id), tx.get(role.kind, role.id)  # either may have gone since we looked
            if instance and held:
                open_session(tx, app.random, now, _instance_session(instance, held))


def _is_current(row: Row, wanted: dict[str, Row]) -> bool:
    """Not of an instance that has another role now, nor of a form in which its limits would not be read."""
    if not _has_limits(row):
        return False
    instance_id = row.document.get("_instance")
    return not instance_id or (instance_id in wanted and wanted[instance_id].id == row.parent)


def _has_limits(row: Row) -> bool:
    """False for a session in the form of an earlier latticewall."""
    return "_session_policies" in row.document


def _instance_session(instance: Row, role: Row) -> NewSession:
    """Named after the instance, with the keys that bind it to where the instance is ("Global condition keys", "Use instance profile credentials")."""
    keys = {
        "ec2:SourceInstanceArn": f"arn:aws:ec2:{instance.region}:{instance.account}:instance/{instance.id}",
        "aws:Ec2InstanceSourceVpc": str(instance.document.get("VpcId") or ""),
        "aws:Ec2InstanceSourcePrivateIPv4": str(instance.document.get("PrivateIpAddress") or ""),
    }
    return NewSession(
        ASSUMED_ROLE, role.account, role.id, f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{instance.id}", f"{role.id}:{instance.id}",
        SESSION_HOURS * 3600, keys={key: value for key, value in keys.items() if value}, instance=instance.id,
    )  # fmt: skip


def _lets_ec2_in(snapshot: Snapshot, role: Row, now: datetime) -> bool:
    """Whether the role's trust policy allows what EC2 does for its instances ("Troubleshoot IAM and Amazon EC2": AssumeRoleUnauthorizedAccess)."""
    principal = Principal.service("ec2.amazonaws.com")
    wish = Assumption("sts:AssumeRole", "ec2")
    return not refused_action(snapshot, role, wish, principal, PrincipalPolicies(), global_context(principal, now=now, region=""))


def _instance_roles(snapshot: Snapshot) -> dict[str, Row]:
    """Instance id -> the role of its instance profile, for instances that run."""
    found: dict[str, Row] = {}
    for instance in snapshot.rows("ec2:Instance"):
        profile_arn = (instance.document.get("IamInstanceProfile") or {}).get("Arn", "")
        profile = snapshot.by_arn(profile_arn) if profile_arn and instance.status in ("creating", "ready", "updating", "starting") else None
        if profile is None:
            continue
        role = snapshot.get("iam:Role", profile.document.get("_role") or "")
        if role is not None:
            found[instance.id] = role
    return found


def metadata_credentials(app: App, instance_id: str, stored: Iterable[Row] | None = None) -> dict[str, Any] | None:
    """The credentials document of instance metadata ("Retrieve security credentials from instance metadata"); None without a role. stored: all sessions,
    if they were read already."""
    if stored is None:
        with app.store.read() as snapshot:
            stored = snapshot.rows("sts:Session")
    sessions = [row for row in stored if row.document.get("_instance") == instance_id]
    if not sessions:
        return None
    row = max(sessions, key=lambda row: row.document["Expiration"])
    return {
        "Code": "Success", "LastUpdated": row.document["_issued"][:19] + "Z", "Type": "AWS-HMAC", "AccessKeyId": row.id,
        "SecretAccessKey": row.document["_secret"], "Token": row.document["_token"], "Expiration": row.document["Expiration"][:19] + "Z",
    }  # fmt: skip
