"""Who one is, whose a key is, and why a call was denied: GetCallerIdentity, GetAccessKeyInfo, DecodeAuthorizationMessage."""

from __future__ import annotations

from latticewall.auth.authorization_message import decode_message
from latticewall.auth.credentials import account_of
from latticewall.base.faults import Invalid
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler


def get_caller_identity(ctx: Context, _: Document) -> Document:
    caller = ctx.caller
    return {"UserId": caller.user_id or caller.account, "Account": caller.account, "Arn": caller.arn}


def get_access_key_info(_: Context, params: Document) -> Document:
    account = account_of(params["AccessKeyId"])
    if account is None:
        raise Invalid("The access key ID is not valid", code="ValidationError")
    return {"Account": account}


def decode_authorization_message(ctx: Context, params: Document) -> Document:
    """Raises InvalidAuthorizationMessageException for a message that was not made for this account."""
    return {"DecodedMessage": decode_message(ctx.tx, ctx.caller.account, params["EncodedMessage"])}


OPERATIONS: dict[str, Handler] = {
    "GetCallerIdentity": get_caller_identity,
    "GetAccessKeyInfo": get_access_key_info,
    "DecodeAuthorizationMessage": decode_authorization_message,
}
