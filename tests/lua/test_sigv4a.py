"""SigV4A: the public suite's facts, region sets, and signatures that have not the one form they may have."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from sigv4_machine import KeyFacts, LuaVerifier, Verdict, python_verdict
from sigv4_requests import KEYS, NOW, Draft, sign
from test_sigv4_vectors import AKID, ETHIOPIC, REGION, SECRET, STS_TOKEN, Case, flips, head_of, my, verdict, written_alike

from latticewall.auth.canonical import Head
from latticewall.auth.lattice import Refusal
from latticewall.auth.sigv4a import covers, derive_ecdsa_key, is_signature_of, is_strict_der

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SUITE = (
    Case(
        "get-vanilla",
        "GET",
        "/",
        (),
        "3044022037fb07d1a0465e254581a65439de25289947072fc92ed359202f83563590fd8402205e72490c2c83b8d69d0ef77eabcd6762e91309804aa3bbc50f188405a5673be0",
    ),
    Case(
        "get-header-value-order",
        "GET",
        "/",
        my("value4", "value1", "value3", "value2"),
        "30450220375345f80dd6237452075c25c25069430f89ce6c3fdff7ae4103a50b4f7bb8af022100bfb21ebd1ab175dbfaae98deb966edb65f241d11a2fd2f534a101f81fd63fc0b",
    ),
    Case(
        "get-header-value-trim",
        "GET",
        "/",
        (*my(" value1"), *my(' "a   b   c"', name="My-Header2")),
        "304402205eefbdd3b414d111b2ef845116323217ec791673b7dbd07c777ed9961307195b02201f4e3f0633d079462bf0b42e2485b99cf6cf38d240fe3d5036f49e3c6c7560b4",
    ),
    Case(
        "get-utf8",
        "GET",
        f"/{ETHIOPIC}",
        (),
        "30440220672f6dd29db5f01624d301f49107d34f4c0e6fe504a2e7229ca8214c1652b97d022044abe997fac03dc170ea17530860ad3bb4203db0ead613fa6e6d6ad3e95a7350",
    ),
    Case(
        "get-slashes-normalized",
        "GET",
        "//example//",
        (),
        "30440220527bcdfd6fd5fecc6a8777faaa6a21a49997f2673ea1624aff31f6c4540bbd7902203f3fff229ca21b6eff780d3ed492326bc9b808aac471911cbd08acf2404a3ce2",
    ),
    Case(
        "get-vanilla-query-order-encoded",
        "GET",
        "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        (),
        "3044022041ffa05b60e2cc9bac499a22148bb69825873b913cabdcf8b3f97c75ba28f81a0220492937cb6eccb784d5fcf1969e4493ad9417ac3409496ef74f281aa13e279739",
    ),
    Case(
        "post-vanilla-query",
        "POST",
        "/?Param1=value1",
        (),
        "3045022100a9c90465479ba9f8e530086c93e1175e7a7e5c83bdca6dfb641cb41018b5f13d02201977881ec976af4207e897d5fcd36045c18138ad0034a2196f75eb48ba79c546",
    ),
    Case(
        "post-sts-header-before",
        "POST",
        "/",
        (("X-Amz-Security-Token", STS_TOKEN),),
        "3044022038ec77cc8b77c35b48c22fd24970e03d25d4a2bc1171537a12759c5fda24dfef022049c56d1c20c49612616045ef55d1bac4caaa2b678d2b168fd15158407a76ba35",
    ),
)


@pytest.fixture(scope="module")
def lua() -> LuaVerifier:
    return LuaVerifier(list(KEYS))


def suite_head(case: Case) -> Head:
    return head_of(case, algorithm="AWS4-ECDSA-P256-SHA256", region="", more=(("X-Amz-Region-Set", REGION),))


@pytest.mark.parametrize("case", SUITE, ids=str)
def test_the_suites_signatures_are_verified_and_damaged_ones_refused(lua: LuaVerifier, case: Case) -> None:
    head = suite_head(case)
    token = head.first("x-amz-security-token") or ""
    lua.put(KeyFacts(AKID, SECRET, hashlib.sha256(token.encode()).hexdigest() if token else ""))
    assert verdict(lua, head) == AKID
    signature = case.signature
    damaged = [replace(head, headers=(*head.headers[:-1], ("Authorization", head.headers[-1][1].replace(signature, other)))) for other in flips(signature)]
    damaged += [replace(head, target=other) for other in flips(case.target)]
    for changed in damaged:
        assert written_alike(head, changed) or isinstance(verdict(lua, changed), Refusal), changed


def test_the_suites_public_key_follows_from_its_credentials() -> None:
    numbers = derive_ecdsa_key(AKID, SECRET).public_key().public_numbers()
    assert f"{numbers.x:064x}" == "b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1"
    assert f"{numbers.y:064x}" == "865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518"


def signed(region_set: str = "us-west-2", key: KeyFacts = KEYS[1], *, presigned: bool = False) -> Head:
    return sign(Draft(key, "GET", "/orders", "a=1", [], NOW.strftime("%Y%m%dT%H%M%SZ"), asymmetric=True, region_set=region_set, presigned=presigned))


def both(lua: LuaVerifier, head: Head, region: str = "us-west-2") -> Verdict:
    answer = lua.verify(head, NOW, region)
    assert answer == python_verdict({key.id: key for key in KEYS}, head, NOW, region)
    return answer


@pytest.mark.parametrize(
    ("region_set", "covered"),
    [
        *(("us-west-2", True), ("*", True), ("us-*", True), ("eu-west-1,us-west-2", True), ("eu-west-1, us-west-2 ", True), ("*-west-*", True), ("u*2", True)),
        *(("us-west-1", False), ("us-west-22", False), ("s-west-2", False), ("us-*-1", False), ("us-west-?", False), ("US-WEST-2", False), (",,", False)),
        *(("us-west-[0-9]", False), ("*" * 500 + "2", True), ("*" * 500 + "3", False), ("us-west-2," + "x" * 1100, False), ("u*-*-*2*", True)),
    ],
)
@pytest.mark.parametrize("presigned", [False, True])
def test_region_sets(lua: LuaVerifier, region_set: str, covered: bool, presigned: bool) -> None:
    answer = both(lua, signed(region_set, presigned=presigned))
    assert answer == (KEYS[1].id if covered else Refusal(403, f"InvalidSignatureException: Credential should be scoped to a valid region, not '{region_set}'."))
    assert covers(region_set, "us-west-2") == covered


def test_the_region_set_must_be_there_and_signed(lua: LuaVerifier) -> None:
    head = signed()
    without = replace(head, headers=tuple(pair for pair in head.headers if pair[0] != "x-amz-region-set"))
    text = "IncompleteSignatureException: Authorization header requires existence of a 'X-Amz-Region-Set' header. Authorization=AWS4-ECDSA-P256-SHA256"
    assert both(lua, without) == Refusal(403, text)
    unsigned = replace(head, headers=tuple((name, value.replace(";x-amz-region-set", "")) for name, value in head.headers))
    assert both(lua, unsigned) == Refusal(403, "InvalidSignatureException: 'x-amz-region-set' must be a 'SignedHeader' in the AWS Authorization.")
    five = replace(head, headers=tuple((name, value.replace("/vpc-lattice-svcs/", "/us-west-2/vpc-lattice-svcs/")) for name, value in head.headers))
    answer = both(lua, five)
    assert isinstance(answer, Refusal)
    assert answer.text.startswith("IncompleteSignatureException: Credential must have exactly 4 slash-delimited elements")


def test_a_key_without_a_point_verifies_nothing(lua: LuaVerifier) -> None:
    refusal = Refusal(403, "UnrecognizedClientException: The security token included in the request is invalid.")
    assert both(lua, signed(key=KEYS[3])) == refusal
    lua.put(replace(KEYS[3], id="AKIABROKEN", asymmetric=False))
    lua.lua.execute("put_record('AKIABROKEN', {}, '04' .. ('ff'):rep(64), '', 0)")
    assert lua.verify(signed(key=replace(KEYS[1], id="AKIABROKEN")), NOW) == refusal


def der(*numbers: bytes) -> bytes:
    body = b"".join(b"\x02" + bytes([len(number)]) + number for number in numbers)
    return b"\x30" + bytes([len(body)]) + body


def test_only_the_one_form_of_der_is_read(lua: LuaVerifier) -> None:
    head, key = signed(), derive_ecdsa_key(KEYS[1].id, KEYS[1].secret)
    value = head.headers[-1][1].partition("Signature=")[2]
    r, s = decode_dss_signature(bytes.fromhex(value))
    one, two = (number.to_bytes(33, "big").lstrip(b"\0") for number in (r, s))
    one, two = (b"\0" + number if number[0] & 0x80 else number for number in (one, two))
    right = der(one, two)
    assert right.hex() == value
    wrong = (
        *(der(b"\0" + one, two), der(one, b"\0" + two), der(one), der(one, two, two), der(b"", two), der(b"\0", two), der(one, b"\0"), b"", b"\x30\x00"),
        *(right + b"\0", right[:-1], b"\x31" + right[1:], b"\x30\x81" + right[1:], bytes([*right[:2], 3, *right[3:]]), der(b"\xff" + one[1:], two)),
        *(der((r + P256_ORDER).to_bytes(33, "big"), two), der(one, P256_ORDER.to_bytes(33, "big")), b"\x30" + bytes([200]) + right[2:] + bytes(130)),
    )
    texts = [value.upper() if value.upper() != value else "", value + "*", " " + value, value + "\n", "0x" + value, *(item.hex() for item in wrong)]
    for text in texts:
        changed = replace(head, headers=(*head.headers[:-1], ("authorization", head.headers[-1][1].replace(value, text))))
        assert isinstance(both(lua, changed), Refusal), text
    assert both(lua, head) == KEYS[1].id
    assert is_signature_of(key.sign(b"text", ec.ECDSA(hashes.SHA256())).hex(), b"", b"text") is False


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=80) | st.tuples(st.binary(max_size=34), st.binary(max_size=34)).map(lambda pair: der(*pair)))
def test_lua_and_python_read_the_same_der(lua: LuaVerifier, value: bytes) -> None:
    read = lua.lua.eval("function(text) return require('latticewall.sigv4a').read_signature(text) ~= nil end")
    assert read(value.hex()) == (8 <= len(value) <= 72 and is_strict_der(value))
