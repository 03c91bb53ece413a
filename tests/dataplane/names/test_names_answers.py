"""Queries answered from zones: bytes to bytes."""

from __future__ import annotations

import random

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import pytest

from latticewall.dataplane.names.answer import EDNS_UDP_BYTES, PLAIN_UDP_BYTES, answer
from latticewall.dataplane.names.zones import ZoneIndex, ZoneIndexes, ZoneSet
from latticewall.plan.names import Record, Zone

SOA = Record("example.com.", "SOA", 900, ("ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400",))
ZONES = ZoneSet(
    (
        Zone(
            "example.com.",
            (
                SOA,
                Record("example.com.", "NS", 172800, ("ns-0.awsdns-00.com.",)),
                Record("www.example.com.", "CNAME", 60, ("web.example.com.",)),
                Record("web.example.com.", "A", 60, ("10.0.0.1", "10.0.0.2")),
                Record("web.example.com.", "AAAA", 60, ("fd00::1",)),
                Record("across.example.com.", "CNAME", 60, ("a.example.net.",)),
                Record("away.example.com.", "CNAME", 60, ("www.elsewhere.org.",)),
                Record("dangling.example.com.", "CNAME", 60, ("missing.example.com.",)),
                Record("circle.example.com.", "CNAME", 60, ("elcric.example.com.",)),
                Record("elcric.example.com.", "CNAME", 60, ("circle.example.com.",)),
                *(Record(f"{number}.hops.example.com.", "CNAME", 60, (f"{number - 1}.hops.example.com.",)) for number in range(1, 11)),
                Record("0.hops.example.com.", "A", 60, ("10.0.0.8",)),
                Record("deep.er.example.com.", "A", 60, ("10.0.0.3",)),
                Record("*.wild.example.com.", "A", 60, ("10.0.0.4",)),
                Record("exact.wild.example.com.", "TXT", 60, ('"no address"',)),
                Record("mail.example.com.", "MX", 60, ("10 mx1.example.com.",)),
                Record("_redis._tcp.example.com.", "SRV", 60, ("1 1 6379 web.example.com.",)),
                Record("text.example.com.", "TXT", 60, ('"one" "two; three"',)),
                Record("big.example.com.", "TXT", 60, tuple(f'"{number:03d}{"x" * 200}"' for number in range(8))),
                Record("bad.example.com.", "A", 60, ("not an address",)),
                Record("bad.elsewhere.org.", "A", 60, ("10.0.0.9",)),
            ),
        ),
        Zone("inner.example.com.", (Record("a.inner.example.com.", "A", 60, ("10.0.0.5",)),)),
        Zone("example.net.", (Record("a.example.net.", "A", 60, ("10.0.0.6",)),)),
        Zone("in-addr.arpa.", (Record("1.0.0.10.in-addr.arpa.", "PTR", 60, ("web.example.com.",)),)),
        Zone("example.net.", (Record("second.example.net.", "A", 60, ("10.0.0.7",)),)),
    )
)


def ask(name: str, type_: str = "A", *, udp: bool = True, payload: int | None = 1232) -> dns.message.Message:
    query = dns.message.make_query(name, type_, use_edns=0 if payload else -1, payload=payload)
    wire = answer(query.to_wire(), ZONES, udp=udp)
    assert wire is not None
    response = dns.message.from_wire(wire)
    assert query.is_response(response)
    assert response.flags & dns.flags.RA
    return response


def answers(name: str, type_: str = "A") -> list[str]:
    """All values; those of one record set come in random order."""
    response = ask(name, type_)
    assert response.rcode() == dns.rcode.NOERROR
    return [text for rrset in response.answer for text in sorted(rdata.to_text() for rdata in rrset)]


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("web.example.com", "A", ["10.0.0.1", "10.0.0.2"]),
        ("web.example.com", "AAAA", ["fd00::1"]),
        ("www.example.com", "A", ["web.example.com.", "10.0.0.1", "10.0.0.2"]),
        ("www.example.com", "CNAME", ["web.example.com."]),
        ("across.example.com", "A", ["a.example.net.", "10.0.0.6"]),
        ("mail.example.com", "MX", ["10 mx1.example.com."]),
        ("_redis._tcp.example.com", "SRV", ["1 1 6379 web.example.com."]),
        ("text.example.com", "TXT", ['"one" "two; three"']),
        ("1.0.0.10.in-addr.arpa", "PTR", ["web.example.com."]),
        ("example.com", "NS", ["ns-0.awsdns-00.com."]),
        ("example.com", "SOA", list(SOA.values)),
        ("x.wild.example.com", "A", ["10.0.0.4"]),
        ("x.y.wild.example.com", "A", ["10.0.0.4"]),
        ("a.inner.example.com", "A", ["10.0.0.5"]),
    ],
)
def test_records(name: str, type_: str, expected: list[str]) -> None:
    assert answers(name, type_) == expected


def test_letter_case_does_not_matter_and_comes_back_as_asked() -> None:
    response = ask("wEb.ExAmPlE.cOm")
    assert response.answer[0].name.to_text() == "wEb.ExAmPlE.cOm."
    assert len(response.answer[0]) == 2


@pytest.mark.parametrize(
    "name",
    [
        "web.example.com",  # another type than those it has
        "er.example.com",  # only something beneath it
        "wild.example.com",
        "exact.wild.example.com",  # the wildcard does not cover a name that exists
        "inner.example.com",  # an origin without records
    ],
)
def test_a_name_without_that_type_exists(name: str) -> None:
    response = ask(name, "MX")
    assert response.rcode() == dns.rcode.NOERROR
    assert not response.answer
    assert response.authority[0].rdtype == dns.rdatatype.SOA


@pytest.mark.parametrize("name", ["missing.example.com", "x.deep.er.example.com", "web.inner.example.com", "missing.example.net"])
def test_a_missing_name_is_denied_by_its_zone(name: str) -> None:
    response = ask(name)
    assert response.rcode() == dns.rcode.NXDOMAIN
    (soa,) = response.authority
    assert soa.rdtype == dns.rdatatype.SOA
    assert dns.name.from_text(name).is_subdomain(soa.name)


def test_negative_lifetimes_are_the_lesser_of_soa_and_its_minimum() -> None:
    assert ask("missing.example.com").authority[0].ttl == 900
    assert ask("missing.example.net").authority[0].ttl == 5


def test_names_outside_all_zones_do_not_exist_and_say_why() -> None:
    response = ask("www.elsewhere.org")
    assert response.rcode() == dns.rcode.NXDOMAIN
    (option,) = response.options
    assert isinstance(option, dns.edns.EDEOption)
    assert option.text is not None
    assert "no way out" in option.text


def test_a_chain_has_the_code_of_its_last_name() -> None:
    for name in ("away.example.com", "dangling.example.com"):
        response = ask(name)
        assert response.rcode() == dns.rcode.NXDOMAIN
        assert response.answer[0].rdtype == dns.rdatatype.CNAME


def test_a_circle_of_aliases_fails() -> None:
    assert ask("circle.example.com").rcode() == dns.rcode.SERVFAIL


def test_nine_aliases_are_followed_and_no_more() -> None:
    nine, ten = ask("9.hops.example.com"), ask("10.hops.example.com")
    assert (nine.rcode(), len(nine.answer), nine.answer[-1].rdtype) == (dns.rcode.NOERROR, 10, dns.rdatatype.A)
    assert (ten.rcode(), ten.answer) == (dns.rcode.SERVFAIL, [])


def test_any_answers_with_one_record_set() -> None:
    assert len(ask("web.example.com", "ANY").answer) == 1


def test_the_first_of_two_zones_with_one_origin_answers() -> None:
    assert ask("second.example.net").rcode() == dns.rcode.NXDOMAIN


def test_unusable_records_are_named_and_the_others_served() -> None:
    assert [what for what, _ in ZONES.rejected] == ["bad.example.com. A", "bad.elsewhere.org. A"]
    assert ask("bad.example.com").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(("payload", "limit"), [(None, PLAIN_UDP_BYTES), (512, PLAIN_UDP_BYTES), (4096, EDNS_UDP_BYTES)])
def test_long_answers_are_truncated_over_udp_and_whole_over_tcp(payload: int | None, limit: int) -> None:
    query = dns.message.make_query("big.example.com", "TXT", use_edns=0 if payload else -1, payload=payload)
    wire = answer(query.to_wire(), ZONES, udp=True)
    assert wire is not None
    assert len(wire) <= limit
    assert dns.message.from_wire(wire).flags & dns.flags.TC
    whole = ask("big.example.com", "TXT", udp=False, payload=payload)
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 8


def test_other_classes_and_zone_transfers_are_refused() -> None:
    for query in (dns.message.make_query("example.com", "TXT", "CH"), dns.message.make_query("example.com", "AXFR")):
        wire = answer(query.to_wire(), ZONES, udp=False)
        assert wire is not None
        assert dns.message.from_wire(wire).rcode() == dns.rcode.REFUSED


def test_an_unknown_edns_version_is_named() -> None:
    query = dns.message.make_query("web.example.com", "A", use_edns=1)
    wire = answer(query.to_wire(), ZONES, udp=True)
    assert wire is not None
    assert dns.message.from_wire(wire).rcode() == dns.rcode.BADVERS


def test_what_is_no_query_gets_no_answer_and_what_is_no_lookup_is_refused() -> None:
    query = dns.message.make_query("web.example.com", "A")
    response = dns.message.make_response(query).to_wire()
    assert answer(b"", ZONES, udp=True) is None
    assert answer(query.to_wire()[:11], ZONES, udp=True) is None
    assert answer(response, ZONES, udp=True) is None
    assert answer(bytes(5000), ZONES, udp=True) is None
    update = bytearray(query.to_wire())
    update[2] |= dns.opcode.UPDATE << 3
    assert _code(answer(bytes(update), ZONES, udp=True)) == dns.rcode.NOTIMP
    for at in (4, 6, 8, 10):  # two questions, or records where a query has none
        odd = bytearray(query.to_wire())
        odd[at + 1] = 2
        assert _code(answer(bytes(odd), ZONES, udp=True)) == dns.rcode.FORMERR


def test_signed_queries_are_refused_not_trusted() -> None:
    query = dns.message.make_query("web.example.com", "A", use_edns=-1)
    query.use_tsig(dns.tsigkeyring.from_text({"key.": "c2VjcmV0"}))
    assert _code(answer(query.to_wire(), ZONES, udp=True)) == dns.rcode.FORMERR


def test_hostile_bytes_never_raise() -> None:
    seed = random.Random(20260102)
    whole = dns.message.make_query("www.example.com", "A", use_edns=0, options=[dns.edns.ECSOption("10.0.0.0", 24)]).to_wire()
    for _ in range(4000):
        wire = bytearray(whole)
        for _ in range(seed.randint(1, 6)):
            wire[seed.randrange(len(wire))] = seed.randrange(256)
        wire = wire[: seed.randint(1, len(wire))] if seed.random() < 0.3 else wire
        reply = answer(bytes(wire), ZONES, udp=True)
        assert reply is None or (reply[:2] == bytes(wire[:2]) and reply[2] & 0x80 and len(reply) <= EDNS_UDP_BYTES)


def _code(wire: bytes | None) -> int:
    assert wire is not None
    assert wire[2] & 0x80
    return wire[3] & 0xF


def test_a_zone_with_other_names_answers_as_one_read_anew() -> None:
    drawn = random.Random(4)
    records = [Record(f"{'x.' * drawn.randrange(3)}n{number}.example.", "A", 60, (f"10.0.0.{number}",)) for number in range(60)]
    records += [Record("n1.example.", "TXT", 60, ('"t"',)), Record("*.n2.example.", "A", 60, ("10.0.1.1",))]
    records += [Record("N4.example.", "TXT", 60, ('"t"',)), Record(r"\110\053.example.", "A", 60, ("10.0.1.2",))]
    bad = Record("bad.elsewhere.", "A", 60, ("1.2.3.4",))
    indexes, kept = ZoneIndexes(), list(records[:20])
    for step in range(120):
        kept = sorted({*kept, drawn.choice(records), *([bad] if step == 80 else [])} - ({drawn.choice(kept)} if drawn.random() < 0.5 else set()))
        zone = Zone("example.", tuple(kept))
        indexes.follow([zone])
        assert indexes.of(zone) == ZoneIndex.of(zone)


def shares(*records: Record, asked: str = "w.test.") -> list[str]:
    """What a thousand queries are answered, one for each number that chance can give."""
    zones, found = ZoneSet((Zone("test.", records),)), []
    for number in range(100):
        query = dns.message.make_query(asked, "A")
        wire = answer(query.to_wire(), zones, udp=True, below=lambda most, number=number: number % most)  # type: ignore[misc]
        assert wire is not None
        found.append(dns.message.from_wire(wire).answer[-1][0].to_text())
    return found


def test_weighted_records_have_their_shares() -> None:
    found = shares(*(Record("w.test.", "A", 60, (f"10.0.0.{number}",), weight) for number, weight in ((1, 70), (2, 30), (3, 0))))
    assert {value: found.count(value) for value in set(found)} == {"10.0.0.1": 70, "10.0.0.2": 30}


def test_without_any_weight_all_have_the_same_share() -> None:
    found = shares(*(Record("w.test.", "A", 60, (f"10.0.0.{number}",), 0) for number in range(4)))
    assert {found.count(value) for value in found} == {25}


def test_a_weighted_name_of_a_name_is_followed() -> None:
    names_of = [Record("w.test.", "CNAME", 60, (f"{letter}.test.",), 50) for letter in "ab"]
    found = shares(*names_of, *(Record(f"{letter}.test.", "A", 60, (value,)) for letter, value in (("a", "10.0.0.1"), ("b", "10.0.0.2"))))
    assert sorted(set(found)) == ["10.0.0.1", "10.0.0.2"]
