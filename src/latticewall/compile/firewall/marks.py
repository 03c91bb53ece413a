"""The packet marks by which the engine's verdicts leave it, and the chains that carry them out. The same for every policy.

The engine sets a bit for every kind of verdict that a packet matched, and nft takes the first in this order. As the layout never
depends on the policy, the rules of the engine can be exchanged at any moment without the chains being out of step with them.

The engine forgets its flow bits when its rules are exchanged. So what decided about a flow is also kept in its conntrack mark: a blocked flow stays
blocked, and one that was passed by its content (which will not be seen again) is not caught by a default action.
"""

from __future__ import annotations

from latticewall.plan.nft import Chain, Match, NftRule

QUEUE = 1 << 31
"""Set by the stateless chain on packets that go to the engine."""
BLOCKED = 1 << 30
"""The flow was blocked by an earlier packet: whatever this one matches."""
KEEP_BLOCKED, KEEP_PASSED = 1 << 29, 1 << 28
"""If the engine's rules block, or pass, this packet, then also the rest of its flow."""
DEFAULT = 1 << 27
"""The default action drops: after all ranks."""
BLOCKS = 9
_VERDICTS = ("drop", "reject", "pass")
_FLOW_BLOCKED, _FLOW_PASSED = 1, 2


class Slots:
    """Gives each verdict of a strict list its bit: the next one of its kind that does not come before its predecessor's."""

    def __init__(self) -> None:
        self._last = 0

    def take(self, verdict: str) -> int | None:
        """The position of the bit, None when the list alternates between blocking and passing more often than there are bits."""
        kind = _VERDICTS.index(verdict)
        slot = self._last + (kind - self._last) % len(_VERDICTS)
        if slot >= BLOCKS * len(_VERDICTS):
            return None
        self._last = slot
        return slot


def block(slot: int) -> int:
    """The block of verdicts a slot belongs to."""
    return slot // len(_VERDICTS)


def chains() -> tuple[Chain, Chain]:
    """Before the queue: flows that are blocked. After it: the first verdict in rank order counts, a packet without any passes."""
    blocked = NftRule((_has("ct mark", _FLOW_BLOCKED),), "drop", "blocked flow")
    return Chain("blocked", (blocked,), hook="forward", priority=-200), Chain("verdicts", tuple(_verdicts()), hook="forward", priority=10)


def _verdicts() -> list[NftRule]:
    rules = [
        NftRule((Match(f"meta mark & {QUEUE - 1:#x}", ("0x0",)),), "accept", "no verdict"),
        NftRule((_has("meta mark", BLOCKED),), "drop", "blocked flow"),
    ]
    for slot in range(BLOCKS * len(_VERDICTS)):
        verdict, label = _VERDICTS[slot % len(_VERDICTS)], f"rank {block(slot)}"
        decided = _has("meta mark", 1 << slot)
        keep, kept = (KEEP_PASSED, _FLOW_PASSED) if verdict == "pass" else (KEEP_BLOCKED, _FLOW_BLOCKED)
        rules.append(NftRule((_has("meta mark", 1 << slot | keep),), f"ct mark set ct mark | {kept:#x}", f"{label} for the flow"))
        if verdict == "reject":
            rules.append(NftRule((Match("meta l4proto", ("tcp",)), decided), "reject with tcp reset", label))
        rules.append(NftRule((decided,), "accept" if verdict == "pass" else "drop", label))
    default = _has("meta mark", DEFAULT)
    return [
        *rules,
        NftRule((_has("ct mark", _FLOW_PASSED),), "accept", "passed flow"),
        NftRule((_has("meta mark", DEFAULT | KEEP_BLOCKED),), f"ct mark set ct mark | {_FLOW_BLOCKED:#x}", "default action for the flow"),
        NftRule((default,), "drop", "default action"),
    ]


def _has(key: str, bits: int) -> Match:
    return Match(f"{key} & {bits:#x}", (f"{bits:#x}",))
