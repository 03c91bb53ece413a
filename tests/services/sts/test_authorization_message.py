"""Why a call was denied: for the account concerned, for nobody else, and only as it was written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, Region, Sequence

from latticewall.auth.authorization_message import encode_message, ensure_message_key

from .words import OTHER, allow

MESSAGE: dict[str, Any] = {
    "allowed": False,
    "explicitDeny": True,
    "matchedStatements": {"items": [{"statementId": "No", "effect": "DENY"}]},
    "failures": {"items": []},
    "context": {
        "principal": {"id": "AIDA", "arn": f"arn:aws:iam::{ACCOUNT}:user/alice"}, "action": "ec2:RunInstances", "resource": "*",
        "conditions": {"items": []},
    },
}  # fmt: skip


@pytest.fixture
def keyed(region: Region) -> Region:
    """A region that has been started."""
    with region.store.write() as tx:
        ensure_message_key(tx, Sequence())
    return region


def encoded(region: Region, message: dict[str, Any] = MESSAGE, account: str = ACCOUNT) -> str:
    with region.store.read() as snapshot:
        return encode_message(snapshot, Sequence(), account, message)


def test_a_message_is_what_was_encoded(keyed: Region) -> None:
    text = encoded(keyed)
    assert "RunInstances" not in text
    assert json.loads(keyed.sts.decode_authorization_message(EncodedMessage=text)["DecodedMessage"]) == MESSAGE


def test_decoding_takes_the_permission(keyed: Region) -> None:
    text = encoded(keyed)
    assert keyed.as_user("sts", allow("sts:DecodeAuthorizationMessage")).decode_authorization_message(EncodedMessage=text)
    bob = keyed.as_user("sts", allow("ec2:*"), "bob")
    with keyed.refused("AccessDenied"):
        bob.decode_authorization_message(EncodedMessage=text)


def test_messages_of_others_and_changed_ones(keyed: Region) -> None:
    text = encoded(keyed)
    middle = len(text) // 2
    changed = text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]
    for given in (encoded(keyed, account=OTHER), changed, text[:-8], text + "AAAA", "AAAA", "no base64", "ä"):
        with keyed.refused("InvalidAuthorizationMessageException"):
            keyed.sts.decode_authorization_message(EncodedMessage=given)
    with keyed.refused("InvalidAuthorizationMessageException"):
        keyed.of(OTHER, "sts").decode_authorization_message(EncodedMessage=text)


def test_a_message_that_is_too_long_loses_its_statements(keyed: Region) -> None:
    statements = [{"statementId": bytes(range(number % 200, number % 200 + 50)).hex() * 3} for number in range(0, 20_000, 7)]
    text = encoded(keyed, {**MESSAGE, "matchedStatements": {"items": statements}})
    assert len(text) <= 10_240
    assert json.loads(keyed.sts.decode_authorization_message(EncodedMessage=text)["DecodedMessage"])["matchedStatements"] == {"items": []}


def test_without_a_key_there_is_no_message(region: Region) -> None:
    assert encoded(region) == ""
    with region.refused("InvalidAuthorizationMessageException"):
        region.sts.decode_authorization_message(EncodedMessage="AAAA")


def test_the_key_is_made_once(keyed: Region) -> None:
    text = encoded(keyed)
    with keyed.store.write() as tx:
        ensure_message_key(tx, Sequence())
    assert keyed.sts.decode_authorization_message(EncodedMessage=text)
