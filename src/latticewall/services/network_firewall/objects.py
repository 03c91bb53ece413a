"""What rule groups, policies and firewalls share: addressed by name or ARN, versioned by update tokens, dry runs."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.network_firewall import text


def find(ctx: Context, kind: str, params: Document, noun: str) -> Row:
    """The object that <noun>Name and/or <noun>Arn name; both must agree."""
    name, arn = str(params.get(f"{noun}Name") or ""), str(params.get(f"{noun}Arn") or "")
    if not name and not arn:
        raise text.invalid(f"either {noun}Name or {noun}Arn must be provided", "null", noun)
    row = ctx.find(kind, arn or name)
    if row is None:
        raise text.missing(noun, arn or name)
    if name and row.name != name:
        raise text.invalid(f"{noun}Name and {noun}Arn name different objects", name, f"{noun}Name")
    return row


def check_token(row: Row, params: Document, *, required: bool = False) -> None:
    """Optimistic locking. Raises InvalidTokenException for a token that is not the current one."""
    given = params.get("UpdateToken")
    if (given or required) and given != row.document["_token"]:
        raise text.stale_token()


def renewed(ctx: Context, row: Row, members: Document, *, settle: bool = False) -> Row:
    """Change an object; every change makes a new token."""
    return ctx.change(row, {**members, "_token": ctx.new_uuid(), "LastModifiedTime": ctx.now}, settle=settle)


def check_encryption(params: Document) -> None:
    encryption = params.get("EncryptionConfiguration") or text.OWNED_KEY
    if encryption.get("Type") != "AWS_OWNED_KMS_KEY":
        raise text.invalid("customer managed keys are not supported by latticewall: there is no KMS", encryption.get("Type"), "EncryptionConfiguration.Type")


def touch_users(ctx: Context, row: Row) -> None:
    """What uses the object must follow it into the data plane: firewalls go through "updating"."""
    for user in ctx.referring(row):
        if user.kind == "network-firewall:Firewall":
            ctx.change(user, settle=True)
        elif user.kind == "network-firewall:FirewallPolicy":
            touch_users(ctx, user)
