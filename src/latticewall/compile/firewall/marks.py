"""The packet marks by which the engine's verdicts leave it, and the chain that carries them out. The same for every policy.

The engine sets a bit for every kind of verdict that a packet matched, and nft takes the first in this order. As the layout never
depends on the policy, the rules of the engine can be exchanged at any moment without the chain being out of step with them.
"""

from __future__ import annotations

from latticewall.plan.nft import Chain, Match, NftRule

QUEUE = 1 << 31
"""Set by the stateless chain on packets that go to the engine."""
BLOCKED = 1 << 30
"""A flow that was blocked because of its content stays blocked, whatever matches later."""
BLOCKS = 10
_VERDICTS = ("drop", "reject", "pass")


class Slots:
    """Gives each verdict of a strict list its bit: the next one of its kind that does not come before its predecessor's."""

    def __init__(self) -> None:
        self._last = 0

    def take(self, verdict: str) -> int | None:
        """The position of the bit, None when the list changes between passing and blocking more often than there are bits."""
        kind = _VERDICTS.index(verdict)
        slot = self._last + (kind - self._last) % len(_VERDICTS)
        if slot >= BLOCKS * len(_VERDICTS):
            return None
        self._last = slot
        return slot


def mark(slot: int) -> str:
    """The rule option's value that sets the bit of a slot."""
    return f"{1 << slot:#x}/{1 << slot:#x}"


def block(slot: int) -> int:
    """The block of verdicts a slot belongs to."""
    return slot // len(_VERDICTS)


def drop_slot(number: int) -> int:
    """The slot that drops in a block."""
    return number * len(_VERDICTS)


def verdict_chain() -> Chain:
    """The chain after the queue: the first verdict in rank order counts, a packet without any passes."""
    verdicts = QUEUE - 1
    nothing = NftRule((Match(f"meta mark & {verdicts:#x}", ("0x0",)),), "accept", "no verdict")
    rules = [nothing, _rule(BLOCKED, "drop", "blocked flow")]
    for slot in range(BLOCKS * len(_VERDICTS)):
        verdict = _VERDICTS[slot % len(_VERDICTS)]
        if verdict == "reject":
            tcp = Match("meta l4proto", ("tcp",))
            rules.append(_rule(1 << slot, "reject with tcp reset", f"rank {block(slot)}", tcp))
        rules.append(_rule(1 << slot, "accept" if verdict == "pass" else "drop", f"rank {block(slot)}"))
    return Chain("verdicts", tuple(rules), hook="forward", priority=10)


def _rule(bit: int, verdict: str, comment: str, *matches: Match) -> NftRule:
    return NftRule((*matches, Match(f"meta mark & {bit:#x}", (f"{bit:#x}",))), verdict, comment)
