"""Minted credentials have AWS's shapes, and a key id tells its account."""

from __future__ import annotations

import re

import pytest

from latticewall.auth.credentials import account_of, mint_access_key, mint_unique_id


class Counting:
    """A Random port that counts, so that every byte is different and known."""

    def __init__(self) -> None:
        self._next = 0

    def token_bytes(self, count: int) -> bytes:
        self._next += count
        return bytes((self._next + index) * 37 & 0xFF for index in range(count))


@pytest.mark.parametrize(
    ("access_key_id", "account"),
    [
        ("ASIAY34FZKBOKMUTVV7A", "609629065308"),
        ("ASIAQNZGKIQY56JQ7WML", "029608264753"),
        ("AKIDEXAMPLE", None),
        ("AKIAIOSFODNN7EXAMPLE", None),
        ("123456789012", None),
        ("", None),
    ],
)
def test_account_of(access_key_id: str, account: str | None) -> None:
    assert account_of(access_key_id) == account


@pytest.mark.parametrize("account", ["000000000000", "000000000001", "123456789012", "999999999999"])
@pytest.mark.parametrize("temporary", [True, False])
def test_minted_keys(account: str, temporary: bool) -> None:
    random = Counting()
    key, other = (mint_access_key(random, account, temporary=temporary) for _ in range(2))
    assert re.fullmatch(r"(AKIA|ASIA)[A-Z2-7]{16}", key.id)
    assert key.id.startswith("ASIA") is temporary
    assert account_of(key.id) == account
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", key.secret.reveal())
    assert (key.token is not None) is temporary
    if key.token is not None:
        assert re.fullmatch(r"[A-Za-z0-9+/]{350,1500}", key.token.reveal())
    assert key.id != other.id
    assert key.secret != other.secret
    assert key.secret.reveal() not in repr(key)


def test_unique_ids() -> None:
    random = Counting()
    ids = {mint_unique_id(random, prefix) for prefix in ("AROA", "AIDA", "AIPA", "ANPA")}
    assert len(ids) == 4
    assert all(re.fullmatch(r"A[A-Z]{3}[A-Z2-7]{17}", unique) for unique in ids)
