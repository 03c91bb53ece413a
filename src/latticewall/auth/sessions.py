"""Temporary credentials as they are stored: one row per session, whoever hands it out (STS, Roles Anywhere, instance metadata).

Pages: "Temporary security credentials in IAM", "AWS global condition context keys" (properties of the session). A session is deleted together with the
role, user or access key that it rests on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from latticewall.auth.credentials import mint_access_key
from latticewall.auth.signature import invalid_token
from latticewall.base.faults import Denied
from latticewall.base.ports import Random
from latticewall.base.rows import Edge, Row
from latticewall.store import Snapshot, Transaction

ASSUMED_ROLE, USER, FEDERATED_USER = "AssumedRole", "User", "FederatedUser"
HOLDERS = {ASSUMED_ROLE: "iam:Role", USER: "iam:User", FEDERATED_USER: "iam:User"}
"""The kind of row behind each kind of session; a session of the account's root has none."""
REACH = ("iam", "sts")
OF_STS = {USER: ("AssumeRole", "GetCallerIdentity"), FEDERATED_USER: ("GetCallerIdentity",)}
"""Operations of STS that the sessions of users may call."""
SOURCE_IDENTITY = "aws:SourceIdentity"
FEDERATED_PROVIDER = "aws:FederatedProvider"


@dataclass(frozen=True)
class NewSession:
    """Credentials about to be made.

    kind: whom `Arn` names (AssumedRole, User, FederatedUser). parent: id of the role or user, "" for the account's root. made_with: the long-term key
    whose deletion ends the session. policies: texts of session policies, evaluated as one set; () without. transitive: keys of the tags that
    go along when another role is assumed. keys: condition keys beside those of every session. instance: the EC2 instance they are for.
    certified: they were given for a certificate, and the tags say what is in it.
    function: the Lambda function they are for.
    """

    kind: str
    account: str
    parent: str
    arn: str
    user_id: str
    seconds: int
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    made_with: str = ""
    instance: str = ""
    certified: bool = False
    function: str = ""


def open_session(tx: Transaction, random: Random, now: datetime, new: NewSession) -> Row:
    """Store the session with a fresh access key, secret and token. now: aware, UTC."""
    key = mint_access_key(random, new.account, temporary=True)
    assert key.token is not None
    token = key.token.reveal()
    document = {
        "_kind": new.kind, "Arn": new.arn, "UserId": new.user_id, "Expiration": _stamp(now + timedelta(seconds=new.seconds), ".000Z"),
        "_issued": _stamp(now, ".000Z"), "_secret": key.secret.reveal(), "_token": token, "_token_digest": hashlib.sha256(token.encode()).hexdigest(),
        "_session_policies": list(new.policies), "_transitive": list(new.transitive),
        "_keys": {"aws:TokenIssueTime": _stamp(now, "Z"), "aws:MultiFactorAuthPresent": "false", **new.keys},
        **({"_instance": new.instance} if new.instance else {}), **({"_certified": True} if new.certified else {}),
        **({"_function": new.function} if new.function else {}),
    }  # fmt: skip
    row = tx.put(Row("sts:Session", new.account, "", key.id, parent=new.parent, document=document, tags=dict(new.tags)))
    if new.parent:
        tx.link(Edge(row.kind, row.id, "holder", HOLDERS[new.kind], new.parent, "cascade"))
    if tx.get("iam:AccessKey", new.made_with):
        tx.link(Edge(row.kind, row.id, "key", "iam:AccessKey", new.made_with, "cascade"))
    return row


def _stamp(moment: datetime, end: str) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + end


def credentials_of(row: Row) -> dict[str, str]:
    """The `Credentials` structure of STS's answers."""
    document = row.document
    return {
        "AccessKeyId": row.id, "SecretAccessKey": document["_secret"], "SessionToken": document["_token"], "Expiration": document["Expiration"],
    }  # fmt: skip


def check_reach(snapshot: Snapshot, access_key_id: str, service: str, operation: str) -> None:
    """What a session that its user made may not call, whatever policies say: IAM without MFA (InvalidClientTokenId), and of STS all but what asks who one is
    and, for the user itself, AssumeRole (AccessDenied; "GetSessionToken", "GetFederationToken")."""
    row = snapshot.get("sts:Session", access_key_id) if service in REACH else None
    if row is None or row.document["_kind"] not in (USER, FEDERATED_USER):
        return
    if service == "iam":
        raise invalid_token()
    if operation not in OF_STS[row.document["_kind"]]:
        kind = "federation" if operation == "AssumeRole" else "session"
        raise Denied(f"Cannot call {operation} with {kind} credentials", code="AccessDenied")


def holder_of(snapshot: Snapshot, session: Row) -> Row | None:
    """The role or user whose permissions a session has; None for one of the account's root, and when the holder is gone."""
    return snapshot.get(session.kept(_kind_of_holder), session.parent)


def _kind_of_holder(session: Row) -> str:
    return HOLDERS[session.document["_kind"]]
