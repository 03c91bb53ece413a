"""The condition keys that are known: what their values are, and which requests have them.

Pages followed: IAM User Guide, "AWS global condition context keys"; Service Authorization Reference, "Actions, resources, and condition keys for
Amazon VPC Lattice Services". Of the `aws:` and `vpc-lattice-svcs:` keys the table is complete; other services have their own.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum

from latticewall.policy.request import canonical_key


class Holds(Enum):
    """What a key's values are. TEXT of a closed sort (ids, names); FREE text that callers or owners choose, which may look like anything."""

    TEXT = "text"
    FREE = "free text"
    ACCOUNT = "an account id"
    ARN = "an ARN"
    NUMBER = "a number"
    DATE = "a date"
    BOOL = "true or false"
    ADDRESS = "an IP address"


SUITABLE: dict[Holds, frozenset[str]] = {
    Holds.TEXT: frozenset({"String"}),
    Holds.ARN: frozenset({"String", "Arn"}),
    Holds.NUMBER: frozenset({"String", "Numeric"}),
    Holds.ACCOUNT: frozenset({"String", "Numeric", "Date"}),
    Holds.DATE: frozenset({"Date", "Numeric", "String"}),
    Holds.BOOL: frozenset({"String", "Bool"}),
    Holds.ADDRESS: frozenset({"String", "Ip"}),
}
"""The families of operators that can match values of a sort (an account id can be read as a number, and as seconds); FREE text suits all."""


@dataclass(frozen=True)
class Key:
    """name: as AWS spells it; one that ends in a slash is followed by a tag key, header or parameter. many: holds several values. signed: only
    callers who signed have it. lattice: requests and connections of the service network can have it. http: only requests have it, connections do
    not. values: all there are, if they are few."""

    name: str
    holds: Holds = Holds.TEXT
    many: bool = False
    signed: bool = False
    lattice: bool = True
    http: bool = False
    values: tuple[str, ...] = ()


_TYPES = ("Account", "User", "FederatedUser", "AssumedRole", "Anonymous")
KEYS = (
    # of the principal
    Key("aws:PrincipalType", values=_TYPES),
    Key("aws:PrincipalAccount", Holds.ACCOUNT),
    Key("aws:PrincipalArn", Holds.ARN, signed=True),
    Key("aws:PrincipalOrgID", signed=True),
    Key("aws:PrincipalOrgPaths", many=True, signed=True),
    Key("aws:PrincipalTag/", Holds.FREE, signed=True),
    Key("aws:PrincipalIsAWSService", Holds.BOOL, signed=True),
    Key("aws:PrincipalServiceName", signed=True, lattice=False),
    Key("aws:PrincipalServiceNamesList", many=True, signed=True, lattice=False),
    Key("aws:userid", signed=True),
    Key("aws:username", Holds.FREE, signed=True),
    # of the session
    Key("aws:AssumedRoot", Holds.BOOL, signed=True),
    Key("aws:FederatedProvider", signed=True),
    Key("aws:TokenIssueTime", Holds.DATE, signed=True),
    Key("aws:MultiFactorAuthPresent", Holds.BOOL, signed=True),
    Key("aws:MultiFactorAuthAge", Holds.NUMBER, signed=True),
    Key("aws:SourceIdentity", Holds.FREE, signed=True),
    Key("aws:ChatbotSourceArn", Holds.ARN, signed=True, lattice=False),
    Key("aws:Ec2InstanceSourceVpc", signed=True),
    Key("aws:Ec2InstanceSourcePrivateIPv4", Holds.ADDRESS, signed=True),
    # of the network
    Key("aws:SourceIp", Holds.ADDRESS),
    Key("aws:SourceVpc", lattice=False),
    Key("aws:SourceVpcArn", Holds.ARN, lattice=False),
    Key("aws:SourceVpce", lattice=False),
    Key("aws:VpceAccount", Holds.ACCOUNT, lattice=False),
    Key("aws:VpceOrgID", lattice=False),
    Key("aws:VpceOrgPaths", many=True, lattice=False),
    Key("aws:VpcSourceIp", Holds.ADDRESS, lattice=False),
    # of the resource
    Key("aws:ResourceAccount", Holds.ACCOUNT),
    Key("aws:ResourceOrgID"),
    Key("aws:ResourceOrgPaths", many=True),
    Key("aws:ResourceTag/", Holds.FREE),
    # of the request
    Key("aws:CalledVia", many=True, lattice=False),
    Key("aws:CalledViaFirst", lattice=False),
    Key("aws:CalledViaLast", lattice=False),
    Key("aws:ViaAWSService", Holds.BOOL),
    Key("aws:CurrentTime", Holds.DATE),
    Key("aws:EpochTime", Holds.DATE),
    Key("aws:referer", Holds.FREE, http=True),
    Key("aws:RequestedRegion"),
    Key("aws:RequestTag/", Holds.FREE, lattice=False),
    Key("aws:TagKeys", Holds.FREE, many=True, lattice=False),
    Key("aws:SecureTransport", Holds.BOOL),
    Key("aws:SourceAccount", Holds.ACCOUNT, lattice=False),
    Key("aws:SourceArn", Holds.ARN, lattice=False),
    Key("aws:SourceOrgID", lattice=False),
    Key("aws:SourceOrgPaths", many=True, lattice=False),
    Key("aws:UserAgent", Holds.FREE, http=True),
    Key("vpc-lattice-svcs:Port", Holds.NUMBER),
    Key("vpc-lattice-svcs:RequestMethod", http=True),
    Key("vpc-lattice-svcs:RequestPath", Holds.FREE, http=True),
    Key("vpc-lattice-svcs:RequestHeader/", Holds.FREE, http=True),
    Key("vpc-lattice-svcs:RequestQueryString/", Holds.FREE, many=True, http=True),
    Key("vpc-lattice-svcs:ServiceArn", Holds.ARN),
    Key("vpc-lattice-svcs:ServiceNetworkArn", Holds.ARN),
    Key("vpc-lattice-svcs:SourceVpc"),
    Key("vpc-lattice-svcs:SourceVpcOwnerAccount", Holds.ACCOUNT),
)
_BY_NAME = {canonical_key(key.name): key for key in KEYS}
_COMPLETE = ("aws", "vpc-lattice-svcs")


def known_key(written: str) -> Key | None:
    """The key, None if the table does not have it."""
    name = canonical_key(written)
    before, slash, after = name.partition("/")
    return _BY_NAME.get(f"{before}/" if slash and after else name if not slash else "")


def tells_of_caller(written: str) -> bool:
    """Whether what an unsigned request has of the key is known: nothing of those that only signed ones have, `Anonymous` and `anonymous` of two others."""
    key = known_key(written)
    return key is not None and (key.signed or canonical_key(key.name) in ("aws:principaltype", "aws:principalaccount"))


def is_unknown(written: str) -> bool:
    """Whether there is no such key; False for prefixes that the table does not cover."""
    return written.partition(":")[0].lower() in _COMPLETE and known_key(written) is None


def similar_key(written: str) -> str:
    """The key that was probably meant, "" if none comes close."""
    before, slash, after = written.partition("/")
    name = canonical_key(f"{before}{slash}")[:64]
    own = name.partition(":")[2].rstrip("/")
    close = [known for known in _BY_NAME if known.partition(":")[2].rstrip("/") == own] or difflib.get_close_matches(name, _BY_NAME, 1, 0.75)
    if not close:
        return ""
    found = _BY_NAME[close[0]].name
    return f"{found}{after or '...'}" if found.endswith("/") else found
