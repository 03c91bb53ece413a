"""A plan's Ruleset -> the nft script that replaces table `inet latticewall` in one transaction.

Every word of a ruleset is checked against the grammar of its place before it is written: whatever reached the plan, nothing but a
condition, a verdict or a comment can reach nft.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network, summarize_address_range

from latticewall.plan.nft import Chain, Match, NftRule, Ruleset

TABLE = "inet latticewall"
Counts = Mapping[str, tuple[int, int]]
"""Named counter -> (packets, bytes)."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_NUMBER = re.compile(r"0x[0-9a-f]{1,8}|\d{1,10}")
_WORD = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_FLAGS = re.compile(r"[a-z]{3,4}(\|[a-z]{3,4})*|0x0")
_SPAN = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
_TYPES = ("filter", "nat", "route")
_POLICIES = ("accept", "drop")
_COMMENT_BYTES = 120
"""nft keeps 128 bytes with its own framing."""


class UnsafeText(ValueError):
    """A ruleset holds a word that its place does not allow: it is refused whole."""


def render_nft(ruleset: Ruleset, counts: Counts | None = None) -> str:
    """The script. counts: what named counters start from, so that replacing a table does not reset them. Raises UnsafeText."""
    known = counts or {}
    lines = [f"add table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    for name in ruleset.counters:
        packets, octets = known.get(name, (0, 0))
        lines.append(f"\tcounter {_checked(_NAME, name, 'counter')} {{ packets {packets:d} bytes {octets:d} }}")
    for chain in ruleset.chains:
        lines += _chain(chain)
    return "\n".join([*lines, "}", ""])


def remove_nft() -> str:
    """The script that leaves no table of ours, whether there was one or not."""
    return f"add table {TABLE}\ndelete table {TABLE}\n"


def render_queue(number: int, mark: int) -> str:
    """The whole mangle table for iptables-nft-restore: marked packets wait for the engine, and without one they are lost (no bypass)."""
    if not (0 <= number <= 0xFFFF and 0 < mark <= 0xFFFFFFFF):
        raise UnsafeText(f"queue {number} mark {mark:#x}")
    return f"*mangle\n:FORWARD ACCEPT [0:0]\n{queue_rule(number, mark)}\nCOMMIT\n"


def queue_rule(number: int, mark: int) -> str:
    """The rule as `iptables-nft -S` prints it (nft's own queue statement is missing from some kernels)."""
    return f"-A FORWARD -m mark --mark {mark:#x}/{mark:#x} -j NFQUEUE --queue-num {number:d}"


def _chain(chain: Chain) -> list[str]:
    lines = [f"\tchain {_checked(_NAME, chain.name, 'chain')} {{"]
    if chain.hook:
        if chain.hook not in _HOOKS or chain.type not in _TYPES or chain.policy not in _POLICIES:
            raise UnsafeText(f"chain {chain.name}: {chain.type} {chain.hook} {chain.policy}")
        lines.append(f"\t\ttype {chain.type} hook {chain.hook} priority {chain.priority:d}; policy {chain.policy};")
    return [*lines, *(f"\t\t{_rule(rule)}" for rule in chain.rules), "\t}"]


def _rule(rule: NftRule) -> str:
    words = [_match(match) for match in rule.matches]
    if rule.counter:
        words.append(f'counter name "{_checked(_NAME, rule.counter, "counter")}"')
    words += [_statement(statement) for statement in rule.verdict.split(" ; ")]
    if rule.comment:
        words.append(f'comment "{_comment(rule.comment)}"')
    return " ".join(words)


def _comment(text: str) -> str:
    """Comments are for people: what nft could not hold is replaced, never a reason to refuse the rule."""
    return re.sub(r"[^ !#-\[\]-~]", "?", text)[:_COMMENT_BYTES]


# -- conditions ---------------------------------------------------------------------------------------------------------------------------


def _match(match: Match) -> str:
    if not match.values:
        raise UnsafeText(f"{match.key}: a condition without values")
    for pattern, render in _KEYS:
        if pattern.fullmatch(match.key):
            return render(match)
    raise UnsafeText(f"unknown condition {match.key!r}")


def _among(match: Match, values: Sequence[str]) -> str:
    operator = "!= " if match.negate else ""
    return f"{match.key} {operator}{values[0]}" if len(values) == 1 else f"{match.key} {operator}{{ {', '.join(values)} }}"


def _words(pattern: re.Pattern[str], *, quoted: bool = False) -> Callable[[Match], str]:
    def render(match: Match) -> str:
        checked = [_checked(pattern, value, match.key) for value in match.values]
        return _among(match, [f'"{value}"' if quoted else value for value in checked])

    return render


def _spans(limit: int) -> Callable[[Match], str]:
    """Ports, ICMP types and codes: numbers and ranges, merged, because nft refuses overlapping ones."""

    def render(match: Match) -> str:
        spans = []
        for value in match.values:
            found = _SPAN.fullmatch(value)
            first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
            if not first <= last <= limit:
                raise UnsafeText(f"{match.key}: {value!r}")
            spans.append((first, last))
        return _among(match, [str(first) if first == last else f"{first}-{last}" for first, last in _merged(spans)])

    return render


def _addresses(match: Match) -> str:
    """Addresses, prefixes and ranges "a-b", merged, because nft refuses overlapping ones."""
    version = 4 if match.key.startswith(("ip ", "arp ")) else 6
    try:
        spans = [_address_span(value) for value in match.values]
        if any(first.version != version or last.version != version or int(first) > int(last) for first, last in spans):
            raise ValueError(f"{', '.join(match.values)}: not all are IPv{version} addresses, prefixes or ranges")
        kind = IPv4Address if version == 4 else IPv6Address
        merged = [(kind(first), kind(last)) for first, last in _merged([(int(first), int(last)) for first, last in spans])]
    except ValueError as error:
        raise UnsafeText(f"{match.key}: {error}") from None
    return _among(match, [_span_text(first, last) for first, last in merged])


def _address_span(value: str) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
    first, dash, last = value.partition("-")
    if dash:
        return ip_address(first), ip_address(last)
    network: IPv4Network | IPv6Network = ip_network(value)
    return network[0], network[-1]


def _span_text(first: IPv4Address | IPv6Address, last: IPv4Address | IPv6Address) -> str:
    if first == last:
        return str(first)
    networks = list(summarize_address_range(first, last))
    return str(networks[0]) if len(networks) == 1 else f"{first}-{last}"


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


_MASK = r"( & 0x[0-9a-f]{1,8})?"
_KEYS: tuple[tuple[re.Pattern[str], Callable[[Match], str]], ...] = tuple(
    (re.compile(pattern), render)
    for pattern, render in (
        ("iifname|oifname", _words(_DEVICE, quoted=True)),
        ("ip6? [sd]addr|ct (original|reply) ip6? [sd]addr", _addresses),
        ("(tcp|udp|sctp|th) [sd]port", _spans(0xFFFF)),
        (r"jhash ip6? saddr \. ip6? daddr mod [1-9][0-9]{0,3}", _spans(0xFFFF)),
        ("icmp(v6)? (type|code)|ip ttl", _spans(0xFF)),
        (f"(meta|ct) mark{_MASK}|ip frag-off{_MASK}|(meta|ip) length", _words(_NUMBER)),
        ("meta (l4proto|nfproto|pkttype)|ip protocol|ct (state|status|direction)|fib daddr type|exthdr frag", _words(_WORD)),
        (r"tcp flags( & \([a-z]{3,4}(\|[a-z]{3,4})*\))?", _words(_FLAGS)),
    )
)

# -- statements ---------------------------------------------------------------------------------------------------------------------------

_INTEGER = r"(0x[0-9a-f]{1,8}|\d{1,10})"
_CHOSEN = r"numgen random mod \d{1,4} map \{ (\d{1,4} : ADDRESS)(, \d{1,4} : ADDRESS)* \}"
_STATEMENTS = tuple(
    re.compile(pattern)
    for pattern in (
        "accept|drop|return|continue|notrack",
        r"(jump|goto) [A-Za-z_][A-Za-z0-9_]{0,63}",
        "reject( with (tcp reset|icmp(x|v6)? (type )?[a-z-]{1,32}))?",
        rf"(meta|ct) mark set ({_INTEGER}|(meta|ct) mark( ?(or|and|xor|[|&^]) ?{_INTEGER})*)",
        r"tproxy ip to (\d{1,3}\.){3}\d{1,3}:\d{1,5}",
        r"tproxy ip6 to \[[0-9a-f:]{2,39}\]:\d{1,5}",
        rf"snat ip to {_CHOSEN}".replace("ADDRESS", r"(\d{1,3}\.){3}\d{1,3}"),
        rf"snat ip6 to {_CHOSEN}".replace("ADDRESS", "[0-9a-f:]{2,39}"),
        r"tcp option maxseg size set (rt mtu|\d{1,5})",
        r'counter( name "?[A-Za-z_][A-Za-z0-9_]{0,63}"?)?',
    )
)


def _statement(text: str) -> str:
    if not any(pattern.fullmatch(text) for pattern in _STATEMENTS):
        raise UnsafeText(f"unknown statement {text!r}")
    return text


def _checked(pattern: re.Pattern[str], text: str, place: str) -> str:
    if not pattern.fullmatch(text):
        raise UnsafeText(f"{place}: {text!r}")
    return text
