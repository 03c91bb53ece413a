"""CreateSession: a role's credentials for whoever holds the key of a trusted certificate.

Pages: "The IAM Roles Anywhere CreateSession API", "The IAM Roles Anywhere authentication process", "The IAM Roles Anywhere trust model".
"""

from __future__ import annotations

from dataclasses import replace

from cryptography import x509

from latticewall.auth.assuming import Assumption, refused_action, session_limits
from latticewall.auth.certificate_signature import CERTIFICATE, fingerprint, read_certificate
from latticewall.auth.sessions import ASSUMED_ROLE, SOURCE_IDENTITY, NewSession, credentials_of, open_session
from latticewall.base.faults import Denied, Fault, Invalid, NotFound, Unsupported
from latticewall.base.rows import Row
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.request import Principal, global_context
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.rolesanywhere import subjects
from latticewall.services.rolesanywhere.attributes import Unmappable, session_tags, source_identity
from latticewall.services.rolesanywhere.certificate_path import Untrusted, check_revocation, trusted_path
from latticewall.services.rolesanywhere.kinds import ANCHOR, CRL, PROFILE
from latticewall.services.rolesanywhere.profiles import mapping_of
from latticewall.services.rolesanywhere.trust_anchors import bundle

PRINCIPAL = "rolesanywhere.amazonaws.com"
DEFAULT_ROLE_SECONDS = 3600
MAX_CHAIN = 5


def create_session(ctx: Context, params: Document) -> Document:
    """The caller is known by the certificate that the request was signed with; the account is the trust anchor's."""
    certificate = _signer(ctx, params)
    if params.get("instanceProperties"):
        raise Unsupported("instanceProperties are not supported by latticewall")
    anchor = _enabled(ctx, ANCHOR, _arn(params, "trustAnchorArn"))
    profile = _enabled(ctx, PROFILE, _arn(params, "profileArn"))
    role_arn = _arn(params, "roleArn")
    account = anchor.account
    if profile.account != account or role_arn not in profile.document["roleArns"]:
        raise Denied(f"The profile {profile.arn} does not allow the role {role_arn}")
    home = replace(ctx, caller=replace(ctx.caller, account=account))
    _check_certificate(home, certificate, params.get("certificateChain"), anchor)
    role = ctx.tx.by_arn(role_arn)
    if role is None or role.kind != "iam:Role" or role.account != account:
        raise _unable(role_arn)
    try:
        tags = session_tags(certificate, mapping_of(profile.document))
    except Unmappable as failed:
        raise _unable(role_arn, f" Some attributes failed to be mapped into session tags. {failed}") from failed
    return _session(home, params, certificate, anchor, profile, role, tags)


def _arn(params: Document, member: str) -> str:
    """An ARN from the body or from the query, not two different ones."""
    given = {params[name] for name in (member, f"{member}InQuery") if params.get(name)}
    if len(given) != 1:
        must = "must be given" if not given else "must not be given twice"
        raise Invalid(f"{member} {must}")
    return str(given.pop())


def _signer(ctx: Context, params: Document) -> x509.Certificate:
    """The certificate of the request, which must be the one that signed it."""
    certificate = read_certificate(params["certificate"])
    if ctx.caller.principal_type != CERTIFICATE or ctx.caller.user_id != fingerprint(certificate):
        raise Denied("CreateSession must be signed with the private key of an X.509 certificate")
    return certificate


def _enabled(ctx: Context, kind: str, arn: str) -> Row:
    row = ctx.tx.by_arn(arn)
    if row is None or row.kind != kind or row.region != ctx.caller.region:
        raise NotFound(f"{kind.split(':')[1]} not found.", kind=kind, id=arn)
    if not row.document["enabled"]:
        raise Denied(f"{kind.split(':')[1]} is disabled.")
    return row


def _check_certificate(ctx: Context, certificate: x509.Certificate, chain: str | None, anchor: Row) -> None:
    """Raises AccessDenied unless the certificate leads to the anchor and nobody on the way is revoked."""
    sent = [text.strip() for text in chain.split(",")] if chain else []
    if len(sent) > MAX_CHAIN:
        raise Denied(f"Untrusted signing certificate: the chain holds more than {MAX_CHAIN} certificates")
    intermediates = [read_certificate(text) for text in sent]
    now = ctx.now_datetime
    revocations = [row for row in ctx.referring(anchor, CRL) if row.document["enabled"]]
    try:
        path = trusted_path(certificate, intermediates, bundle(anchor.document["source"]["sourceData"]["x509CertificateData"]), now)
        check_revocation(path, (x509.load_pem_x509_crl(row.document["crlData"].encode()) for row in revocations), now)
    except Untrusted as reason:
        raise Denied(f"Untrusted signing certificate: {reason}") from reason


def _unable(role_arn: str, reason: str = "") -> Denied:
    return Denied(f"Unable to assume role for {role_arn}.{reason}")


def _session(ctx: Context, params: Document, certificate: x509.Certificate, anchor: Row, profile: Row, role: Row, tags: dict[str, str]) -> Document:
    identity = source_identity(certificate)
    wish = Assumption("sts:AssumeRole", _session_name(params, certificate, profile), tags, source_identity=identity)
    _require(ctx, anchor, role, wish)
    try:
        document = profile.document
        limits = session_limits(ctx.tx, ctx.call, role.account, document.get("sessionPolicy"), document["managedPolicyArns"], tags)
    except Fault as fault:
        raise _unable(role.arn, f" {fault.message}") from fault
    new = NewSession(
        ASSUMED_ROLE, role.account, role.id, f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{wish.session_name}",
        f"{role.id}:{wish.session_name}", _seconds(params, profile, role), tags, policies=limits.policies, keys={SOURCE_IDENTITY: identity} if identity else {},
        certified=True,
    )  # fmt: skip
    given = credentials_of(open_session(ctx.tx, ctx.random, ctx.now_datetime, new))
    entry: Document = {
        "assumedRoleUser": {"arn": new.arn, "assumedRoleId": new.user_id}, "packedPolicySize": limits.packed, "roleArn": role.arn,
        "credentials": {member[0].lower() + member[1:]: value for member, value in given.items()},
    }  # fmt: skip
    if identity:
        entry["sourceIdentity"] = identity
    return {"credentialSet": [entry], "subjectArn": subjects.seen(ctx, certificate).arn}


def _session_name(params: Document, certificate: x509.Certificate, profile: Row) -> str:
    """The serial number in hexadecimal digits, or the name asked for where the profile accepts one."""
    if asked := params.get("roleSessionName"):
        if not profile.document["acceptRoleSessionName"]:
            raise Denied("Not authorized to set roleSessionName.")
        return str(asked)
    serial = certificate.serial_number
    return serial.to_bytes((serial.bit_length() + 7) // 8 or 1, "big").hex()


def _seconds(params: Document, profile: Row, role: Row) -> int:
    """The shorter of what is asked for and what the profile allows."""
    allowed = int(profile.document["durationSeconds"])
    seconds = min(int(params.get("durationSeconds") or allowed), allowed)
    if seconds > int(role.document.get("MaxSessionDuration") or DEFAULT_ROLE_SECONDS):
        raise _unable(role.arn, " The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return seconds


def _require(ctx: Context, anchor: Row, role: Row, wish: Assumption) -> None:
    """The role must trust the service, for this anchor and these attributes."""
    principal = replace(Principal.service(PRINCIPAL), tags=dict(wish.tags))
    caller = ctx.caller
    context = global_context(principal, now=ctx.now_datetime, region=caller.region, source_ip=caller.source_ip, user_agent=caller.user_agent)
    context = {**context, "aws:SourceArn": anchor.arn, "aws:SourceAccount": anchor.account}
    if refused_action(ctx.tx, role, wish, principal, PrincipalPolicies(), context):
        raise _unable(role.arn)


OPERATIONS: dict[str, Handler] = {"CreateSession": create_session}
