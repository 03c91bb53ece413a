"""What a signature with a certificate must be scoped to; every fault is told of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from latticewall.auth.certificate_signature import SERVICE, _check_scope
from latticewall.auth.signature import Signature
from latticewall.base.faults import Fault

RIGHT = Signature("1", "20260102", "eu-north-7", SERVICE, "aws4_request", ("host",), "", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
FAULTS = {
    "service": ("s3", f"Credential should be scoped to correct service: '{SERVICE}'."),
    "region": ("eu north", "Credential should be scoped to a valid region, not 'eu north'."),
    "terminator": ("aws4", "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4'."),
    "day": ("20260103", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "),
}


def test_a_right_scope() -> None:
    _check_scope(RIGHT)


@pytest.mark.parametrize("wrong", [[name] for name in FAULTS] + [list(FAULTS), ["service", "day"], ["region", "terminator"]], ids=" ".join)
def test_wrong_scopes(wrong: list[str]) -> None:
    with pytest.raises(Fault) as caught:
        _check_scope(replace(RIGHT, **{name: FAULTS[name][0] for name in wrong}))
    assert [name for name, (_, words) in FAULTS.items() if words in caught.value.message] == wrong
