"""OpenID Connect identity providers ("CreateOpenIDConnectProvider", "Creating OpenID Connect (OIDC) identity providers").

AWS fetches a provider's keys from its issuer. A region is a closed machine: the tag `latticewall:jwks` says where the key set is, an absolute path, a
file: URL or an http: URL of a loopback address. Without it the issuer itself is asked, which works if it is on loopback. STS reads the keys when it
verifies a token.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, urlsplit

from latticewall.base.faults import Conflict, Invalid, NotFound
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Answer, Document, Handler
from latticewall.services.iam import quotas, text
from latticewall.services.iam.tagged import read, tagging

KIND = "iam:OpenIDConnectProvider"
KEY_SET_TAG = "latticewall:jwks"
_THUMBPRINT = re.compile(r"[0-9a-fA-F]{40}\Z")


def create(ctx: Context, params: Document) -> Document:
    url = _issuer(params["Url"])
    name = f"{url.netloc}{url.path.rstrip('/')}"
    arn = ctx.registry.kind(KIND).arn_of("", ctx.caller.account, {}, id="", name=name)
    if ctx.find(KIND, arn):
        raise Conflict(f"Provider with url {params['Url']} already exists.", code="EntityAlreadyExists")
    quotas.room("OpenIdConnectProvidersPerAccount", len(ctx.rows(KIND)) + 1)
    given = read(params.get("Tags"), KIND)
    check_key_set(given)
    document: Document = {
        "Url": name, "ClientIDList": _clients(params.get("ClientIDList") or ()), "ThumbprintList": _thumbprints(params.get("ThumbprintList") or ()),
        "CreateDate": ctx.now,
    }  # fmt: skip
    ctx.create(KIND, document, id=arn, name=name, tags=given)
    return {"OpenIDConnectProviderArn": arn, "Tags": tags.as_list(given)}


def _issuer(url: str) -> SplitResult:
    """AWS knows https issuers only; here one on loopback may speak http. Raises ValidationError."""
    found = urlsplit(url)
    trusted = found.scheme == "https" or (found.scheme == "http" and _loopback(found))
    if not trusted or not found.hostname or found.query or found.fragment or found.username is not None or re.search(r"[\s\x00-\x1f?#]", url):
        raise text.bad("Invalid Open ID Connect Provider URL")
    return found


def _loopback(url: SplitResult) -> bool:
    host = url.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_key_set(given: Mapping[str, str]) -> None:
    """Raises InvalidInput if the tags name a key set that is not on this machine."""
    location = given.get(KEY_SET_TAG)
    if location is None:
        return
    url = urlsplit(location)
    local = _loopback(url) and url.username is None if url.scheme == "http" else url.scheme in ("", "file") and url.path.startswith("/") and not url.netloc
    if not local or re.search(r"[\x00-\x1f]", location):
        sentence = f"The tag {KEY_SET_TAG} must be an absolute path, a file: URL or an http: URL of a loopback address, not {location}"
        raise Invalid(sentence, code="InvalidInput")


def _clients(listed: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(listed))
    quotas.room("ClientIdsPerOpenIdConnectProvider", len(found))
    return found


def _thumbprints(listed: Iterable[str]) -> list[str]:
    found = [thumbprint.lower() for thumbprint in listed]
    quotas.room("ThumbprintsPerOpenIdConnectProvider", len(found))
    if not all(map(_THUMBPRINT.match, found)):
        raise Invalid("Thumbprint must contain only hexadecimal characters and be 40 characters long.", code="InvalidInput")
    return found


def find(ctx: Context, params: Document) -> Row:
    """The provider with that ARN. Raises NoSuchEntity."""
    arn = params["OpenIDConnectProviderArn"]
    row = ctx.find(KIND, arn) if arn.startswith("arn:") else None
    if row is None:
        raise NotFound(f"OpenIDConnect Provider not found for arn {arn}", code="NoSuchEntity")
    return row


def get(ctx: Context, params: Document) -> Document:
    return ctx.view(find(ctx, params))


def listing(ctx: Context, _: Document) -> Document:
    return {"OpenIDConnectProviderList": [{"Arn": row.arn} for row in ctx.rows(KIND)]}


def delete(ctx: Context, params: Document) -> Document:
    """Deleting what is not there is no error ("DeleteOpenIDConnectProvider": "does not fail if the provider does not exist")."""
    if row := ctx.find(KIND, params["OpenIDConnectProviderArn"]):
        ctx.remove(row)
    return {}


def update_thumbprints(ctx: Context, params: Document) -> Document:
    ctx.change(find(ctx, params), {"ThumbprintList": _thumbprints(params["ThumbprintList"])})
    return {}


def add_client(ctx: Context, params: Document) -> Document:
    """Adding one twice is no error ("AddClientIDToOpenIDConnectProvider": "This operation is idempotent")."""
    row = find(ctx, params)
    ctx.change(row, {"ClientIDList": _clients([*row.document["ClientIDList"], params["ClientID"]])})
    return {}


def remove_client(ctx: Context, params: Document) -> Document:
    row = find(ctx, params)
    ctx.change(row, {"ClientIDList": [client for client in row.document["ClientIDList"] if client != params["ClientID"]]})
    return {}


def tag(ctx: Context, params: Document) -> Answer:
    check_key_set(read(params["Tags"], KIND))
    return _TAGGING["TagOpenIDConnectProvider"](ctx, params)


_TAGGING = tagging("OpenIDConnectProvider", find)
OPERATIONS: dict[str, Handler] = {
    "CreateOpenIDConnectProvider": create,
    "GetOpenIDConnectProvider": get,
    "ListOpenIDConnectProviders": listing,
    "DeleteOpenIDConnectProvider": delete,
    "UpdateOpenIDConnectProviderThumbprint": update_thumbprints,
    "AddClientIDToOpenIDConnectProvider": add_client,
    "RemoveClientIDFromOpenIDConnectProvider": remove_client,
    **_TAGGING,
    "TagOpenIDConnectProvider": tag,
}
