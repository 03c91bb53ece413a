"""The gate `network-acl`: what subnets' network ACLs let leave and enter, of a connection and of its answers ("Network ACL rules").

ACLs keep no state: an answer must be let through as well, to the port the client sent from. That is one of those that Linux picks from, unless the client
picks one itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from latticewall.analyze.gate import Gate, Outcome, Unclear
from latticewall.analyze.packets import Address, Packet, Ruling, walk
from latticewall.compile.network_acls import chain_name
from latticewall.plan.nft import Chain, Ruleset
from latticewall.world.types import Subnet

EPHEMERAL = (32768, 60999)
"""The kernel's default net.ipv4.ip_local_port_range."""
FINAL = 32767
"""The number of the entry `*`, which denies what no other allows."""


@dataclass(frozen=True)
class Border:
    """One subnet's border, crossed on the way there and, the other way round, by the answers. leaving: the connection goes out of the subnet."""

    ruleset: Ruleset
    subnet: Subnet
    leaving: bool

    def acl_chain(self, *, there: bool) -> Chain | None:
        """Of the way there or back; None where the ACL lets everything pass."""
        name = chain_name(self.subnet.id, egress=self.leaving is there)
        return next((chain for chain in self.ruleset.chains if chain.name == name), None)


def acl_gate(name: str, borders: Iterable[Border], source: Address, destination: Address, port: int) -> Gate:
    """borders: in the order in which the connection crosses them. The first that stops it, or its answers, decides."""
    crossed = list(borders)
    for border in crossed:
        if (chain := border.acl_chain(there=True)) and (found := _closed(border, chain, Packet(source, destination, port), name)):
            return found
    for border in reversed(crossed):
        if (chain := border.acl_chain(there=False)) and (found := _answers(border, chain, Packet(destination, source, 0), name)):
            return found
    acls = sorted({border.subnet.network_acl_id for border in crossed})
    detail = f"TCP {source} -> {destination}:{port} and its answers pass" if acls else "no border of a subnet is crossed"
    return Gate(name, Outcome.PASS, detail, ", ".join(acls))


def _closed(border: Border, chain: Chain, packet: Packet, name: str) -> Gate | None:
    try:
        ruling = walk(border.ruleset, chain.name, packet)
    except Unclear as problem:
        return Gate(name, Outcome.UNKNOWN, str(problem), border.subnet.network_acl_id)
    return _denied(name, border, ruling, packet, str(packet.port), there=True) if ruling.verdict == "drop" else None


def _answers(border: Border, chain: Chain, packet: Packet, name: str) -> Gate | None:
    """Whether answers pass whichever port they are for: the verdict can change only where a range of the chain begins or ends."""
    try:
        rulings = {port: walk(border.ruleset, chain.name, replace(packet, port=port)) for port in _edges(chain)}
    except Unclear as problem:
        return Gate(name, Outcome.UNKNOWN, str(problem), border.subnet.network_acl_id)
    stopped = [port for port, ruling in rulings.items() if ruling.verdict == "drop"]
    if not stopped:
        return None
    found = _denied(name, border, rulings[stopped[0]], packet, f"{EPHEMERAL[0]}-{EPHEMERAL[1]}", there=False)
    if len(stopped) == len(rulings):
        return found
    return replace(found, outcome=Outcome.UNKNOWN, detail=f"{found.detail}, for some ports that the client may come from, {stopped[0]} for one")


def _edges(chain: Chain) -> Iterator[int]:
    ports = {int(text) for rule in chain.rules for match in rule.matches if match.key == "tcp dport" for value in match.values for text in value.split("-")}
    yield from sorted({*EPHEMERAL, *(near for port in ports for near in (port - 1, port, port + 1) if EPHEMERAL[0] <= near <= EPHEMERAL[1])})


def _denied(name: str, border: Border, ruling: Ruling, packet: Packet, ports: str, *, there: bool) -> Gate:
    egress = border.leaving is there
    word, preposition, peer = ("outbound", "to", packet.destination) if egress else ("inbound", "from", packet.source)
    decided = (ruling.rule.comment if ruling.rule else border.subnet.network_acl_id).replace(f"#{FINAL}", "*")
    number = decided.rpartition("#")[2]
    before = f" with a number below {number}" if number.isdigit() else ""
    what = f"TCP {packet.source} -> {packet.destination}:{ports}" if there else f"answers from {packet.source} to {packet.destination}:{ports}"
    change = f"allow TCP {ports} {preposition} {peer} in an {word} entry of {border.subnet.network_acl_id}{before}"
    return Gate(name, Outcome.FAIL, f"{what}: denied {'out of' if egress else 'into'} {border.subnet.id}", decided, change=(change,))
