"""Policies left out of a simulation ("PolicyIdentifier"): by type, by ARN, or inline ones by their name and holder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from latticewall.base.faults import Invalid
from latticewall.base.organization_policies import AttachedPolicy
from latticewall.resources.kind import Document
from latticewall.services.iam.simulation import Source

_ARN = re.compile(r"arn:aws[a-z-]*:(iam|organizations):[^*?]*:[^*?]+\Z")
INLINE = ("user", "group", "role")


@dataclass(frozen=True)
class Exclusions:
    """types: of policies. arns: of managed and service control policies. inline: (policy's name, type of holder, holder's name).

    The page promises wildcards in the holder's name, which the model's pattern does not let through.
    """

    types: frozenset[str] = frozenset()
    arns: frozenset[str] = frozenset()
    inline: frozenset[tuple[str, str, str]] = frozenset()

    @classmethod
    def read(cls, listed: Iterable[Mapping[str, Document | str]]) -> Exclusions:
        """Raises InvalidInput for an ARN that is none."""
        types, arns, inline = set(), set(), set()
        for entry in listed:
            arn, named = str(entry.get("PolicyArn") or ""), entry.get("InlinePolicyIdentifier")
            if arn and not _ARN.match(arn):
                raise Invalid(f"Invalid policy ARN {arn}", code="InvalidInput")
            if isinstance(named, dict):
                inline.add((named["PolicyName"], named["AttachmentType"].lower(), named["AttachmentName"]))
            types.add(str(entry.get("PolicyType") or ""))
            arns.add(arn)
        return cls(frozenset(types - {""}), frozenset(arns - {""}), frozenset(inline))

    def kept(self, held: Iterable[tuple[str, str, Source]]) -> list[Source]:
        """The policies of (ARN or "", holder's name, policy) that stay."""
        return [source for arn, holder, source in held if not self._has(arn, holder, source)]

    def _has(self, arn: str, holder: str, source: Source) -> bool:
        if ("inline" if source.type in INLINE else source.type) in self.types or (arn and arn in self.arns):
            return True
        return (source.id, source.type, holder) in self.inline

    def has_boundary(self, arn: str) -> bool:
        return "permission-boundary" in self.types or arn in self.arns

    def kept_levels(self, levels: Sequence[Sequence[AttachedPolicy]]) -> list[list[AttachedPolicy]]:
        """What is left of the service control policies; leaving out the type leaves out its levels."""
        if "scp" in self.types:
            return []
        return [[policy for policy in level if policy.arn not in self.arns] for level in levels]
