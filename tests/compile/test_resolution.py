"""Names as the compiler resolves them: the same as the resolver that answers from the same zones."""

from __future__ import annotations

import dns.message
import dns.rcode
import dns.rdatatype
from hypothesis import given
from hypothesis import strategies as st

from latticewall.compile.resolution import Zones
from latticewall.dataplane.names.answer import respond
from latticewall.dataplane.names.zones import ZoneSet
from latticewall.plan.names import Record, Zone

LABELS = st.sampled_from(["a", "b", "c", "*"])
ORIGINS = ("test.", "a.test.", "b.a.test.", "other.")
ADDRESSES = st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]), min_size=1, max_size=3, unique=True)


@st.composite
def names(draw: st.DrawFn, *, wild: bool = True) -> str:
    labels = draw(st.lists(LABELS if wild else LABELS.filter(lambda label: label != "*"), max_size=2))
    labels = [label for index, label in enumerate(labels) if label != "*" or index == 0]
    return ".".join([*labels, draw(st.sampled_from(ORIGINS))])


@st.composite
def zones(draw: st.DrawFn) -> Zone:
    origin = draw(st.sampled_from(ORIGINS))
    found: dict[tuple[str, str], Record] = {}
    for name in draw(st.lists(names(), max_size=6)):
        if not (name == origin or name.endswith("." + origin)):
            continue
        type_ = draw(st.sampled_from(["A", "CNAME", "TXT"]))
        values = {"A": tuple(draw(ADDRESSES)), "CNAME": (draw(names(wild=False)),), "TXT": ('"x"',)}[type_]
        if type_ == "CNAME" and any(held == name for held, _ in found):
            continue  # an alias is alone at its name
        if (name, "CNAME") not in found:
            found[name, type_] = Record(name, type_, 60, values)
    return Zone(origin, tuple(sorted(found.values())))


def answered(held: list[Zone], name: str) -> tuple[str, ...]:
    """What the data plane's resolver says."""
    response = respond(dns.message.make_query(name, "A"), ZoneSet(held))
    if response.rcode() != dns.rcode.NOERROR:
        return ()
    return tuple(rdata.address for rrset in response.answer if rrset.rdtype == dns.rdatatype.A for rdata in rrset)


@given(st.lists(zones(), max_size=4), names(wild=False))
def test_compiler_and_resolver_agree(held: list[Zone], name: str) -> None:
    assert sorted(Zones(held).addresses(name)) == sorted(answered(held, name))


def test_chains_wildcards_and_loops() -> None:
    held = Zones(
        [
            Zone("test.", (Record("db.test.", "CNAME", 5, ("one.b.test.",)), Record("loop.test.", "CNAME", 5, ("loop.test.",)))),
            Zone("b.test.", (Record("*.b.test.", "A", 5, ("10.0.0.1", "10.0.0.2")), Record("x.y.b.test.", "A", 5, ("10.0.0.3",)))),
        ]
    )
    assert held.addresses("DB.test") == ("10.0.0.1", "10.0.0.2")
    assert held.addresses("x.y.b.test.") == ("10.0.0.3",)
    assert held.addresses("z.y.b.test.") == held.addresses("y.b.test.") == held.addresses("loop.test") == held.addresses("test") == ()
    assert held.addresses("elsewhere.example") == ()


def test_aliases_end_where_the_resolver_ends() -> None:
    hops = tuple(Record(f"{number}.test.", "CNAME", 60, (f"{number - 1}.test.",)) for number in range(1, 11))
    zone = Zone("test.", (Record("0.test.", "A", 60, ("10.0.0.1",)), *hops))
    for number, addresses in ((0, ("10.0.0.1",)), (9, ("10.0.0.1",)), (10, ())):
        assert Zones([zone]).addresses(f"{number}.test") == answered([zone], f"{number}.test.") == addresses


def test_what_has_weight_and_what_has_none() -> None:
    def found(*weights: tuple[str, int]) -> tuple[str, ...]:
        return Zones([Zone("test.", tuple(Record("w.test.", "A", 60, (value,), weight=weight) for value, weight in weights))]).addresses("w.test.")

    one, two, three = "10.0.0.1", "10.0.0.2", "10.0.0.3"
    assert found((one, 0), (two, 0)) == (one, two), "none has any: all may be answered"
    assert found((one, 5), (two, 0)) == found((two, 0), (one, 5)) == (one,)
    assert found((one, 5), (two, 1)) == (one, two)
    assert found((one, 0), (two, 5), (three, 5)) == found((two, 5), (three, 5), (one, 0)) == (two, three)
    assert found((one, 5), (one, 5), (two, 0)) == (one,), "two of them still have weight"
