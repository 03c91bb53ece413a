"""Finding what a request names by ARN, in the caller's account and region; the lists of Describe operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.elbv2 import text
from latticewall.services.elbv2.nouns import LISTENER, LOAD_BALANCER, RULE, TARGET_GROUP

WORDS = {LOAD_BALANCER: "Load balancer", LISTENER: "Listener", RULE: "Rule", TARGET_GROUP: "Target group"}


def by_arn(ctx: Context, kind: str, arn: str) -> Row:
    """The resource; an ARN that is none of this kind's is a ValidationError, as ELB has it."""
    noun = {LOAD_BALANCER: "loadbalancer", LISTENER: "listener", RULE: "listener-rule", TARGET_GROUP: "targetgroup"}[kind]
    if not arn.startswith("arn:") or f":{noun}/" not in arn:
        raise text.invalid(f"{kind.partition(':')[2]}Arn", f"'{arn}' is not a valid {WORDS[kind].lower()} ARN")
    row = ctx.find(kind, arn)
    if row is None or row.status == "deleting":
        raise text.not_found(kind, f"{WORDS[kind]} '{arn}' not found")
    return row


def present(ctx: Context, kind: str) -> list[Row]:
    """All of the kind that are not on their way out."""
    return [row for row in ctx.live(kind) if row.status != "deleting"]


def chosen(ctx: Context, kind: str, arns: Sequence[str], names: Sequence[str] = ()) -> list[Row]:
    """Those with these ARNs or these names, else all. Raises NotFound for what is not there."""
    if arns:
        return [by_arn(ctx, kind, arn) for arn in arns]
    rows = present(ctx, kind)
    missing = sorted(set(names) - {row.name for row in rows})
    if missing:
        plural = {LOAD_BALANCER: "load balancers", TARGET_GROUP: "target groups"}[kind]
        raise text.not_found(kind, f"One or more {plural} not found: {', '.join(missing)}")
    return [row for row in rows if not names or row.name in names]


def described(result: str, rows: Callable[[Context, Document], list[Row]]) -> Handler:
    """A Describe operation: the chosen rows as shown."""

    def handler(ctx: Context, params: Document) -> Document:
        return {result: [ctx.view(row) for row in rows(ctx, params)]}

    return handler


def owner_of(ctx: Context, listener: Row) -> Row:
    """The load balancer of a listener."""
    row = ctx.tx.get(LOAD_BALANCER, listener.parent)
    if row is None:
        raise text.not_found(LOAD_BALANCER, f"Load balancer '{listener.parent}' not found")
    return row
