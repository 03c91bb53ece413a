"""AssumeRoleWithWebIdentity: a role for whoever an OpenID Connect provider of the role's account vouches for. The call is not signed.

Pages: "AssumeRoleWithWebIdentity", "Available keys for AWS OIDC federation", "Passing session tags using AssumeRoleWithWebIdentity". Where the provider's keys
are: the tag `latticewall:jwks` of the provider (a file or a loopback URL), else what its discovery document names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latticewall.auth.assuming import Assumption, refused_action, session_limits
from latticewall.auth.sessions import FEDERATED_PROVIDER, SOURCE_IDENTITY
from latticewall.base.faults import Denied, Fault, Invalid, Unavailable
from latticewall.base.rows import Row
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.request import Principal, global_context
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.sts import requests
from latticewall.services.sts.assume_role import role_seconds, role_session
from latticewall.services.sts.identity_token import IdentityToken, checked_claims, read_token, rejected

ACTION = "sts:AssumeRoleWithWebIdentity"
KEYS_TAG = "latticewall:jwks"
DISCOVERY = "/.well-known/openid-configuration"
TAGS_CLAIM = "https://aws.amazon.com/tags"
SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity"


def assume_role_with_web_identity(ctx: Context, params: Document) -> Document:
    """A session of the role for the token's subject, if the role's trust policy lets the provider's identities in under their claims."""
    requests.refuse_unsupported(params)
    token = read_token(params["WebIdentityToken"])
    role_arn = str(params["RoleArn"])
    provider = _provider(ctx, role_arn, token)
    claims = checked_claims(token, _keys(ctx, provider, token), ctx.now_datetime)
    who = _Identity.of(claims, provider.document.get("ClientIDList") or ())
    role = ctx.tx.by_arn(role_arn)
    if role is None or role.kind != "iam:Role":
        raise _denied()
    limits = session_limits(ctx.tx, ctx.call, role.account, params.get("Policy"), requests.policy_arns(params), who.tags)
    wish = Assumption(
        ACTION, params["RoleSessionName"], who.tags, who.transitive, source_identity=who.source_identity, context=who.keys(provider.name)
    )  # fmt: skip
    _require(ctx, role, provider, wish)
    keys = {FEDERATED_PROVIDER: provider.arn, **({SOURCE_IDENTITY: who.source_identity} if who.source_identity else {})}
    seconds = role_seconds(role, params.get("DurationSeconds"))
    answer = role_session(ctx, role, wish, seconds, limits, tags=who.tags, transitive=who.transitive, keys=keys)
    answer |= {"SubjectFromWebIdentityToken": who.subject, "Provider": provider.arn, "Audience": who.audience}
    return {**answer, **({"SourceIdentity": who.source_identity} if who.source_identity else {})}


def _name(issuer: str) -> str:
    """The provider's name: its URL without the scheme, which also begins its condition keys."""
    return issuer.removeprefix("https://").removeprefix("http://").rstrip("/")


def _provider(ctx: Context, role_arn: str, token: IdentityToken) -> Row:
    """The token's issuer among the OpenID Connect providers of the role's account."""
    account = (role_arn.split(":") + [""] * 5)[4]
    row = ctx.tx.by_arn(f"arn:aws:iam::{account}:oidc-provider/{_name(token.issuer)}")
    if row is None or row.kind != "iam:OpenIDConnectProvider":
        raise Invalid(f"No OpenIDConnect provider found in your account for {token.issuer}", code="InvalidIdentityToken")
    return row


def _keys(ctx: Context, provider: Row, token: IdentityToken) -> bytes:
    """The provider's key set. Raises IDPCommunicationError when it cannot be read."""
    read = ctx.ports["key_sets"].read
    try:
        location = provider.tags.get(KEYS_TAG, "")
        if not location:
            discovered = json.loads(read(token.issuer.rstrip("/") + DISCOVERY))
            location = str(discovered.get("jwks_uri") or "") if isinstance(discovered, dict) else ""
        found: bytes = read(location)
    except (Unavailable, ValueError, RecursionError) as error:
        reason = error.message if isinstance(error, Fault) else "its discovery document is not JSON"
        words = f"Couldn't retrieve verification key from your identity provider: {reason}"
        raise Invalid(words, code="IDPCommunicationError") from error
    return found


def _denied() -> Denied:
    return Denied(f"Not authorized to perform {ACTION}", code="AccessDenied")


def _require(ctx: Context, role: Row, provider: Row, wish: Assumption) -> None:
    principal = Principal.federated(provider.arn)
    caller = ctx.caller
    context = global_context(principal, now=ctx.now_datetime, region=caller.region, source_ip=caller.source_ip, user_agent=caller.user_agent)
    if refused_action(ctx.tx, role, wish, principal, PrincipalPolicies(), context):
        raise _denied()


@dataclass(frozen=True)
class _Identity:
    """Whom the token speaks of. audience: the client it was made for (`azp` where the token has one)."""

    subject: str
    audience: str
    original_audience: str
    methods: tuple[str, ...]
    tags: dict[str, str]
    transitive: tuple[str, ...]
    source_identity: str

    @classmethod
    def of(cls, claims: Mapping[str, Any], clients: tuple[str, ...] | list[str]) -> _Identity:
        """Raises InvalidIdentityToken unless it was made for one of the provider's clients, IDPRejectedClaim for claims of the wrong form."""
        listed = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        authorized = claims.get("azp")
        offered = [authorized] if authorized else listed
        audience = next((text for text in offered if isinstance(text, str) and text in clients), None)
        if audience is None:
            raise Invalid("Incorrect token audience", code="InvalidIdentityToken")
        tags, transitive = _tags(claims.get(TAGS_CLAIM))
        source_identity = claims.get(SOURCE_IDENTITY_CLAIM) or ""
        if not isinstance(source_identity, str):
            raise rejected(SOURCE_IDENTITY_CLAIM)
        methods = claims.get("amr") or []
        if not isinstance(methods, list) or not all(isinstance(method, str) for method in methods):
            raise rejected("amr")
        original = next((text for text in listed if isinstance(text, str)), "") if authorized else ""
        return cls(str(claims["sub"]), audience, original, tuple(methods), tags, transitive, source_identity)

    def keys(self, name: str) -> dict[str, str | tuple[str, ...]]:
        """The condition keys `<provider>:aud`, `:sub`, `:oaud`, `:amr`."""
        found: dict[str, str | tuple[str, ...]] = {f"{name}:aud": self.audience, f"{name}:sub": self.subject}
        if self.original_audience:
            found[f"{name}:oaud"] = self.original_audience
        if self.methods:
            found[f"{name}:amr"] = self.methods
        return found


def _tags(claim: Any) -> tuple[dict[str, str], tuple[str, ...]]:
    """Session tags and transitive keys of the claim {principal_tags: {key: [value]}, transitive_tag_keys: [key]}."""
    if claim is None:
        return {}, ()
    if not isinstance(claim, dict):
        raise rejected(TAGS_CLAIM)
    tags, transitive = claim.get("principal_tags") or {}, claim.get("transitive_tag_keys") or []
    if not isinstance(tags, dict) or not isinstance(transitive, list) or not all(isinstance(key, str) for key in transitive):
        raise rejected(TAGS_CLAIM)
    listed = [{"Key": key, "Value": value[0] if isinstance(value, list) and len(value) == 1 else value} for key, value in tags.items()]
    for tag in listed:
        if not isinstance(tag["Value"], str) or not 1 <= len(tag["Key"]) <= 128 or len(tag["Value"]) > 256 or len(listed) > 50:
            raise rejected(TAGS_CLAIM)
    return requests.session_tags({"Tags": listed, "TransitiveTagKeys": transitive})


OPERATIONS: dict[str, Handler] = {"AssumeRoleWithWebIdentity": assume_role_with_web_identity}
