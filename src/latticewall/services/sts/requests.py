"""What several operations read from their parameters, and refuse in the same words.

Pages: "Pass session tags in AWS STS", "AssumeRole" (parameters).
"""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.base.faults import Denied, Invalid, Unsupported
from latticewall.resources.kind import Document

TOKEN_CHARACTERS = 384
"""Of the session tokens that `auth.credentials` makes."""


def session_tags(params: Document, inherited: Iterable[str] = ()) -> tuple[dict[str, str], tuple[str, ...]]:
    """(tags, transitive keys) asked for. inherited: keys of transitive tags of the calling session, which stay as they are.

    Tag keys ignore case. Raises InvalidParameterValue.
    """
    tags: dict[str, str] = {}
    lowered: set[str] = set()
    for tag in params.get("Tags") or ():
        key = str(tag["Key"])
        if key.lower().startswith("aws:"):
            raise _wrong(f"Tag keys starting with 'aws:' are reserved for system use: {key}")
        if key.lower() in lowered:
            raise _wrong("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        lowered.add(key.lower())
        tags[key] = str(tag["Value"])
    if lowered & {key.lower() for key in inherited}:
        raise _wrong("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
    wanted = {str(key).lower() for key in params.get("TransitiveTagKeys") or ()}
    if wanted - lowered:
        raise _wrong("The specified transitive tag key must be included in the requested tags.")
    return tags, tuple(key for key in tags if key.lower() in wanted)


def _wrong(message: str) -> Invalid:
    return Invalid(message, code="InvalidParameterValue")


def policy_arns(params: Document) -> list[str]:
    """The managed session policies named."""
    return [str(item["arn"]) for item in params.get("PolicyArns") or () if item.get("arn")]


def refuse_devices(params: Document) -> None:
    """There are no MFA devices: whichever is named does not belong to the caller. Raises AccessDenied."""
    given = [bool(params.get(member)) for member in ("SerialNumber", "TokenCode")]
    if all(given):
        words = "unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."
        raise Denied(f"MultiFactorAuthentication failed, {words}", code="AccessDenied")
    if any(given):
        raise Denied("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.", code="AccessDenied")


def refuse_unsupported(params: Document) -> None:
    """Members that would change what the session may do or is, and are not supported. Raises Unsupported."""
    if params.get("ProvidedContexts"):
        raise Unsupported("ProvidedContexts is not supported by latticewall yet")
    if int(params.get("MinimumSessionTokenSize") or 0) > TOKEN_CHARACTERS:
        raise Unsupported(f"session tokens have {TOKEN_CHARACTERS} characters: a larger MinimumSessionTokenSize is not supported by latticewall")
