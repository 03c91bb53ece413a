"""Where a condition key's value comes from: known when a policy is compiled, so that asking for it is one look-up.

Page followed: IAM User Guide, "AWS global condition context keys"; VPC Lattice User Guide, "Control access to VPC Lattice services using auth policies".
"""

from __future__ import annotations

from latticewall.policy.lua.chunk import Chunk
from latticewall.policy.lua.literals import quote, to_bytes
from latticewall.policy.request import canonical_key

_HEADER = "vpc-lattice-svcs:requestheader/"
_QUERY = "vpc-lattice-svcs:requestquerystring/"
_COMPUTED = {
    "vpc-lattice-svcs:requestmethod": "method",
    "vpc-lattice-svcs:requestpath": "path",
    "aws:currenttime": "current_time",
    "aws:epochtime": "epoch_time",
    "aws:sourceip": "source_ip",
    "aws:useragent": "user_agent",
    "aws:referer": "referer",
}
_OF_PRINCIPAL = {
    *("aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principaltype", "aws:principalisawsservice", "aws:principalservicename"),
    *("aws:userid", "aws:username", "aws:tokenissuetime", "aws:multifactorauthpresent", "aws:multifactorauthage", "aws:sourceidentity"),
    *("aws:federatedprovider", "aws:ec2instancesourcevpc", "aws:ec2instancesourceprivateipv4", "ec2:sourceinstancearn"),
}
_OF_ROUTE = {
    *("vpc-lattice-svcs:port", "vpc-lattice-svcs:servicearn", "vpc-lattice-svcs:servicenetworkarn"),
    *("vpc-lattice-svcs:sourcevpc", "vpc-lattice-svcs:sourcevpcowneraccount", "aws:resourceaccount", "aws:resourceorgid"),
    *("aws:requestedregion", "aws:securetransport", "aws:viaawsservice"),
}
_PRINCIPAL_TAG, _RESOURCE_TAG = "aws:principaltag/", "aws:resourcetag/"
_PRINCIPAL_PATHS, _RESOURCE_PATHS = "aws:principalorgpaths", "aws:resourceorgpaths"


def has_one_value(key: str) -> bool:
    """Whether a canonical key has never several values: single-valued by AWS's definition, and no tag of a resource, which may have keys that differ in
    case only; of a key nobody knows, anything may be expected."""
    single = key in _COMPUTED or key in _OF_PRINCIPAL or key in _OF_ROUTE
    return single or key.startswith((_HEADER, _PRINCIPAL_TAG))


def value_of(chunk: Chunk, key: str) -> str:
    """The value of a canonical key as an expression: text, table of texts, or nil."""
    if to_bytes(key) is None:
        return "nil"
    if key in _COMPUTED:
        return chunk.call(_COMPUTED[key], "q")
    if key.startswith(_HEADER):
        return _header(chunk, key.removeprefix(_HEADER))
    if key.startswith(_QUERY):
        return chunk.call("query", "q", quote(key.removeprefix(_QUERY)))
    if key in _OF_PRINCIPAL or key == _PRINCIPAL_PATHS or key.startswith(_PRINCIPAL_TAG):
        return f"p[{quote(key)}]"
    if key in _OF_ROUTE or key == _RESOURCE_PATHS or key.startswith(_RESOURCE_TAG):
        return f"c[{quote(key)}]"
    return f"(c[{quote(key)}] or p[{quote(key)}])"


def _header(chunk: Chunk, name: str) -> str:
    """Pseudo-headers are no headers."""
    if name == "host":
        return chunk.call("host", "q")
    return "nil" if name.startswith(":") else chunk.call("header", "q", quote(name))


def variable(chunk: Chunk, written: str, default: str | None) -> str:
    """What a policy variable stands for, as an expression: text, or nil if it has neither value nor default."""
    key = canonical_key(written)
    if key.startswith(_QUERY) and to_bytes(key) is not None:
        value = chunk.call("query_text", "q", quote(key.removeprefix(_QUERY)))
    else:
        value = value_of(chunk, key)
        if not has_one_value(key) and value != "nil":
            value = chunk.call("text", value)
    return value if default is None else f"({value} or {quote(default)})"
