"""Many services with a policy of 10 KB each, and many sessions: stored in one transaction as copies of one of each that was made through the API."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from latticewall.auth.sigv4 import Credentials
from latticewall.base.rows import Edge, Row
from latticewall.base.secret import Secret
from latticewall.store import Store, Transaction

POLICY_BYTES = 10_000
ROLES = 200
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True)
class Many:
    """hosts: the services' names. credentials: of every session. services: ids."""

    hosts: tuple[str, ...]
    credentials: tuple[Credentials, ...]
    services: tuple[str, ...]


def store_many(state: Path, service: str, session: str, services: int, sessions: int) -> Many:
    """service, session: ids of the ones to be copied. The session's role is copied too, ROLES times."""
    store = Store(state / "region.db", lambda: "2026-01-01T00:00:00.000Z")
    try:
        with store.write("bench", "many") as tx:
            roles = _roles(tx, session)
            hosts = tuple(_service(tx, service, number, roles) for number in range(services))
            credentials = tuple(_session(tx, session, roles[number % len(roles)], number) for number in range(sessions))
    finally:
        store.close()
    return Many(hosts, credentials, tuple(_named(service, number) for number in range(services)))


def store_session(state: Path, session: str, ends: datetime) -> Credentials:
    """A copy of a session that ends at another moment (UTC)."""
    store = Store(state / "region.db", lambda: "2026-01-01T00:00:00.000Z")
    try:
        with store.write("bench", "session") as tx:
            row = _only(tx.rows("sts:Session", id=session))
            return _session(tx, session, _only(tx.rows("iam:Role", id=row.parent)), int(ends.timestamp()), ends.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    finally:
        store.close()


def policy(service_arn: str, roles: list[str], number: int, *, denied: bool = False) -> str:
    """An auth policy of about 10 KB with statements like those people write; /open/* is for every signed caller, or for none (denied)."""
    conditions: dict[str, Any] = {"vpc-lattice-svcs:RequestMethod": ["GET", "PUT"], "aws:PrincipalTag/stage": ["production", f"stage-{number}"]}
    statements: list[dict[str, Any]] = [
        {
            "Effect": "Deny" if denied else "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": f"{service_arn}/open/*",
            "Condition": {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}},
        }
    ]  # fmt: skip
    while len(_document(statements)) < POLICY_BYTES - 600:
        own = len(statements)
        statements.append(
            {
                "Sid": f"Team{number}x{own}", "Effect": "Deny" if own % 5 == 0 else "Allow",
                "Principal": {"AWS": [roles[(number + own + step) % len(roles)] for step in range(2)]}, "Action": "vpc-lattice-svcs:Invoke",
                "Resource": f"{service_arn}/teams/{number}/{own}/*",
                "Condition": {
                    "StringEquals": conditions, "IpAddress": {"aws:SourceIp": [f"10.{number % 250}.{own}.0/24"]},
                    "StringLike": {"vpc-lattice-svcs:RequestHeader/x-team": f"team-{own}-*"},
                },
            }
        )  # fmt: skip
    return _document(statements)


def _document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def _roles(tx: Transaction, session: str) -> list[Row]:
    row = _only(tx.rows("sts:Session", id=session))
    role = _only(tx.rows("iam:Role", id=row.parent))
    ids = random.Random(1)
    return [
        tx.put(replace(role, id="AROA" + "".join(ids.choices(_LETTERS, k=17)), arn=f"{role.arn}-{number}", name=f"{role.name}-{number}"))
        for number in range(ROLES)
    ]


def _named(original: str, number: int) -> str:
    """An id of the same form and length."""
    prefix, _, tail = original.partition("-")
    return f"{prefix}-{number:0{len(tail)}x}"


def _service(tx: Transaction, original: str, number: int, roles: list[Row]) -> str:
    """Copies of the service and of everything that belongs to it; its DNS name."""
    row = _only(tx.rows("vpc-lattice:Service", id=original))
    id_ = _named(original, number)

    def renamed(text: str) -> str:
        return text.replace(original, id_).replace(row.name, f"{row.name}-{number}")

    def copied(found: Row, **changes: Any) -> Row:
        document = json.loads(renamed(json.dumps(found.document)))
        return tx.put(replace(found, **{"arn": renamed(found.arn), "name": renamed(found.name), "document": document, **changes}))

    arn = renamed(row.arn)
    host = f"{row.name}-{number}.{row.document['dnsEntry']['domainName'].partition('.')[2]}"
    own = {"authType": "AWS_IAM", "_policy": policy(arn, [role.arn for role in roles], number), "dnsEntry": {"domainName": host}}
    copied(row, id=id_, document={**json.loads(renamed(json.dumps(row.document))), **own})
    for listener in tx.rows("vpc-lattice:Listener", parent=original):
        listener_id = _named(listener.id, number)
        copied(listener, id=listener_id, parent=id_, arn=renamed(listener.arn).replace(listener.id, listener_id))
        for rule in tx.rows("vpc-lattice:Rule", parent=listener.id):
            rule_id = _named(rule.id, number)
            copied(rule, id=rule_id, parent=listener_id, arn=renamed(rule.arn).replace(listener.id, listener_id).replace(rule.id, rule_id))
    for association in tx.rows("vpc-lattice:ServiceNetworkServiceAssociation"):
        if association.document["serviceId"] == original:
            association_id = _named(association.id, number)
            copied(association, id=association_id, arn=association.arn.replace(association.id, association_id))
    return host


def _session(tx: Transaction, original: str, role: Row, number: int, ends: str = "") -> Credentials:
    row = _only(tx.rows("sts:Session", id=original))
    drawn = random.Random(number)
    key = "ASIA" + "".join(drawn.choices(_LETTERS, k=16))
    secret, token = (base64.b64encode(drawn.randbytes(size)).decode() for size in (30, 288))
    arn = f"{role.arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/session-{number}"
    document = {
        **row.document, "_secret": secret, "_token": token, "_token_digest": hashlib.sha256(token.encode()).hexdigest(),
        "Expiration": ends or row.document["Expiration"], "Arn": arn, "UserId": f"{role.id}:session-{number}",
    }  # fmt: skip
    made = tx.put(replace(row, id=key, parent=role.id, document=document))
    tx.link(Edge(made.kind, made.id, "holder", role.kind, role.id, "cascade"))
    return Credentials(key, Secret(secret), Secret(token))


def _only(rows: list[Row]) -> Row:
    (row,) = rows
    return row
