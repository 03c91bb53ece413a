"""Refusals in AWS RAM's words."""

from __future__ import annotations

import re

from latticewall.base.faults import Conflict, Fault, Invalid, NotFound

_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+", re.DOTALL)
OUTSIDE = (
    "The resource you are attempting to share can only be shared within your AWS Organization. This error may also occur if you have not enabled sharing "
    "with your AWS organization, or that onboarding process is still in progress."
)
"""AWS's own sentence, seen in published output."""


def invalid(message: str) -> Invalid:
    return Invalid(message, code="InvalidParameterException")


def not_permitted(message: str) -> Conflict:
    return Conflict(message, code="OperationNotPermittedException")


def unknown(noun: str, identifier: str) -> NotFound:
    code = "ResourceShareInvitationArnNotFoundException" if noun == "ResourceShareInvitation" else "UnknownResourceException"
    return NotFound(f"{noun} {identifier} could not be found.", code=code)


def check_arn(arn: str) -> str:
    """The text, if it has the form of an ARN."""
    if not _ARN.fullmatch(arn):
        raise Fault(f"The specified ARN {arn} is not valid. Verify the ARN and try again.", code="MalformedArnException")
    return arn
