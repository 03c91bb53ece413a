"""What each element of a statement may hold, and in which of AWS's sentences it is refused when it does not.

Pages followed: IAM User Guide, "Grammar of the IAM JSON policy language", "Principal", "Resource". The sentences are those of IAM's
MalformedPolicyDocument.
"""

from __future__ import annotations

import difflib
import json
import re
from typing import Any

from latticewall.policy.operators import NEGATED, POSITIVE, Operator, Reading, parse_operator
from latticewall.policy.pattern import constant, parse_template
from latticewall.policy.source import Path, Refusal, spell

SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
PREFACED = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
PRINCIPAL_KINDS = ("AWS", "Service", "Federated", "CanonicalUser")
_IAM_PATHS = (
    *("user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/", "sms-mfa/", "saml-provider/"),
    *("oidc-provider/", "report/", "access-report/"),
)
_PARTITION = re.compile(r"aws(-cn|-us-gov|-iso(-[a-z])?|-eusc)?\Z|.*[*?$]", re.DOTALL)
_VENDOR = re.compile(r"[A-Za-z0-9.-]+\Z")
_ACCOUNT = re.compile(r"[0-9]{12}\Z")
_UNIQUE_ID = re.compile(r"A(IDA|ROA)[A-Z0-9]{8,}\Z")
_PRINCIPAL_ARN = re.compile(
    r"arn:aws[a-z-]*:(iam::[0-9]{12}:(root|(user|role)/[^*?]+)|sts::[0-9]{12}:(assumed-role/[^/*?]+/[^/*?]+|federated-user/[^*?]+))\Z"
)


def quoted(value: Any) -> str:
    """A value as JSON, for a message."""
    return json.dumps(value, default=str, ensure_ascii=False)


def check_text(text: str, path: Path) -> None:
    """Half of a surrogate pair is no character: it could not be stored nor compared."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Refusal(SYNTAX, path, f"{spell(path)} holds half a surrogate pair")


def check_action(action: str, path: Path) -> None:
    """`service:Name` with wildcards in the name, or `*`, which may be written `*:*` too; no other pattern speaks of many services."""
    if action in ("*", "*:*"):
        return
    vendor, colon, name = action.partition(":")
    if not colon or not name:
        raise Refusal(PREFACED, path, f"{spell(path)} is {quoted(action)}")
    if ":" in name:
        raise Refusal("Actions/Condition can contain only one colon.", path, f"{spell(path)} is {quoted(action)}")
    if not _VENDOR.match(vendor):
        raise Refusal(f"Vendor {vendor} is not valid", path, f"{spell(path)} is {quoted(action)}")


def check_trust_action(action: str, path: Path) -> None:
    """A trust policy speaks of AWS STS only."""
    if action.partition(":")[0].lower() != "sts":
        raise Refusal("AssumeRole policy may only specify STS AssumeRole actions.", path, f"{spell(path)} is {quoted(action)}")


def check_resource(text: str, path: Path) -> None:
    """Identity policies name resources by ARN. Stricter than IAM for an ARN with fewer than six parts: what IAM fills up with stars matches nothing
    here, so it must at least end in one."""
    if text == "*":
        return
    detail = spell(path)
    parts = text.split(":", 5)
    if len(parts) < 2:
        raise Refusal(f'Resource {text} must be in ARN format or "*".', path, detail)
    if not _PARTITION.match(parts[1]):
        filled = ":".join(("arn", *parts[1:], *["*"] * (6 - len(parts))))
        raise Refusal(f'Partition "{parts[1]}" is not valid for resource "{filled}".', path, detail)
    if parts[0] != "arn":
        raise Refusal(f'Resource {text} must be in ARN format or "*".', path, detail)
    if len(parts) < 3 or set("*?") & set(parts[2]):
        raise Refusal("Resource vendor must be fully qualified and cannot contain regexes.", path, detail)
    if not parts[2] or (len(parts) == 5 and not text.endswith("*")):
        raise Refusal(LEGACY, path, f"{detail} is no ARN")
    if len(parts) < 6:
        if not text.endswith("*"):
            raise Refusal(f'Resource {text} must be in ARN format or "*".', path, f"{detail}: an ARN has six parts")
        return
    _check_resource_of(parts[2], parts, text, path)


def _check_resource_of(vendor: str, parts: list[str], text: str, path: Path) -> None:
    region, account, resource = parts[3:]
    if vendor == "iam":
        if region not in ("", "*"):
            raise Refusal(f"IAM resource {text} cannot contain region information.", path, spell(path))
        begun = resource.partition("/")[0]
        if resource != "root" and not set("*?$") & set(begun) and not resource.startswith(_IAM_PATHS):
            raise Refusal(f'IAM resource path must either be "*" or start with {", ".join(_IAM_PATHS)}.', path, f"{spell(path)} is {quoted(text)}")
    if vendor == "s3" and region not in ("", "*") and not account:
        raise Refusal(f"Resource {text} can not contain region information.", path, spell(path))


def check_principal(kind: str, name: str, path: Path) -> None:
    """Everyone, an account, a user, a role, a session, a unique id; for the other kinds any name without wildcards."""
    if kind == "AWS":
        valid = name == "*" or any(form.match(name) for form in (_ACCOUNT, _UNIQUE_ID, _PRINCIPAL_ARN))
    else:
        valid = bool(name) and (name == "*" or not set(name) & set("*?"))
    if not valid:
        raise Refusal(f'Invalid principal in policy: "{kind}":"{name}"', path, spell(path))


def condition_operator(written: str, path: Path) -> Operator:
    """The operator of a condition block."""
    operator = parse_operator(written)
    if operator is None:
        close = difflib.get_close_matches(written.rpartition(":")[2], [*POSITIVE, *NEGATED], 1) if len(written) <= 64 else []
        hint = f": did you mean {close[0]}?" if close else ""
        raise Refusal(SYNTAX, path, f"Invalid Condition type : {written}{hint}", at_name=True)
    return operator


def check_condition_key(key: str, path: Path) -> None:
    """A key without prefix is in no request: a mistyped one would satisfy every negated operator."""
    if ":" not in key:
        raise Refusal(PREFACED, path, f"{spell(path)} is no condition key", at_name=True)


def check_readable(operator: Operator, text: str, path: Path) -> None:
    """A value that its operator can never read is refused here rather than never matching."""
    comparison = operator.comparison
    if comparison.reading is not Reading.VALUE:
        return
    if comparison.variables and constant(parse_template(text, wildcards=False, variables=True)) is None:
        return
    if comparison.parse_policy(text) is None:
        sentence = LEGACY if "Date" in operator.name else f"Invalid value for condition operator {operator}: {quoted(text)}"
        raise Refusal(sentence, path, f"{spell(path)} is {quoted(text)}")
