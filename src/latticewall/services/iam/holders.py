"""Users, groups and roles as holders of policies: the same operations three times, under three names.

Pages: "PutRolePolicy", "AttachRolePolicy", "PutRolePermissionsBoundary", "TagRole" and their User and Group twins in the IAM API Reference.
"""

from __future__ import annotations

from collections.abc import Callable

from latticewall.auth.credentials import mint_unique_id
from latticewall.base.rows import Row
from latticewall.policy.document import Form, parse_policy
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import quotas, tagged, text
from latticewall.services.iam.policies import SERVICE_ROLES, find_policy, used_policy

PREFIXES = {"Role": "AROA", "User": "AIDA", "Group": "AGPA"}


def find(ctx: Context, noun: str, name: str) -> Row:
    """The role, user or group with that name; its unique id is no name. Raises NoSuchEntity."""
    for row in ctx.rows(f"iam:{noun}", name=name):
        return row
    raise text.missing(noun, name)


def owned(ctx: Context, noun: str, name: str) -> Row:
    """As find, for changing it. Raises UnmodifiableEntity for a service-linked role, which is its service's to change."""
    row = find(ctx, noun, name)
    if row.document["Path"].startswith(SERVICE_ROLES):
        sentence = f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        raise text.bad(sentence, "UnmodifiableEntity")
    return row


def free(ctx: Context, noun: str, name: str, but: Row | None = None) -> None:
    """Raises EntityAlreadyExists if another holder of the kind has the name, in whatever case."""
    if any(row.name.lower() == name.lower() for row in ctx.rows(f"iam:{noun}") if but is None or row.id != but.id):
        raise text.exists(noun, name)


def create(ctx: Context, noun: str, params: Document, document: Document) -> Row:
    """Store a holder with what all have: path, unique id, boundary, tags."""
    name, path = params[f"{noun}Name"], params.get("Path") or "/"
    free(ctx, noun, name)
    quotas.room(f"{noun}sPerAccount", len(ctx.rows(f"iam:{noun}")) + 1)
    if boundary := params.get("PermissionsBoundary"):
        document["PermissionsBoundary"] = _boundary(ctx, boundary)
    document |= {"Path": path, "CreateDate": ctx.now, "_inline": {}, "_attached": []}
    return ctx.create(f"iam:{noun}", document, id=mint_unique_id(ctx.random, PREFIXES[noun]), name=name, tags=tagged.read(params.get("Tags"), f"iam:{noun}"))


def move(ctx: Context, noun: str, row: Row, params: Document) -> Row:
    """Another name or path for a user or group (`NewUserName`, `NewPath`): the unique id stays, the ARN does not."""
    name, path = params.get(f"New{noun}Name") or row.name, params.get("NewPath") or row.document["Path"]
    free(ctx, noun, name, but=row)
    document = {**row.document, "Path": path}
    row.name, row.arn = name, ctx.registry.kind(row.kind).arn_of("", row.account, document, id=row.id, name=name)
    return ctx.change(row, document)


def refuse_with_policies(row: Row) -> None:
    """Raises DeleteConflict while the holder has policies."""
    if row.document["_attached"]:
        raise text.still("detach all policies")
    if row.document["_inline"]:
        raise text.still("delete policies")


def end_sessions(ctx: Context, row: Row) -> None:
    """Temporary credentials end with the identity behind them."""
    for session in ctx.tx.rows("sts:Session", parent=row.id):
        ctx.tx.delete(session)


def _boundary(ctx: Context, arn: str) -> Document:
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": used_policy(ctx, arn).arn}


def listed(ctx: Context, row: Row) -> Document:
    """As the lists show it ("IAM resource-listing operations return a subset of the available attributes"): without boundary and tags."""
    return {member: value for member, value in ctx.view(row).items() if member not in ("PermissionsBoundary", "Tags")}


def under(ctx: Context, kind: str, params: Document) -> list[Row]:
    """The rows of a kind below `PathPrefix`."""
    prefix = params.get("PathPrefix") or "/"
    return [row for row in ctx.rows(kind) if row.document["Path"].startswith(prefix)]


# -- operations that differ only in the noun, made once for each ------------------------------------------------------------------------


Action = Callable[[Context, Row, Document], Document]


def _on(noun: str, action: Action) -> Handler:
    """An operation that reads a holder."""
    return lambda ctx, params: action(ctx, find(ctx, noun, params[f"{noun}Name"]), params)


def _changing(noun: str, action: Action) -> Handler:
    """An operation that changes a holder."""
    return lambda ctx, params: action(ctx, owned(ctx, noun, params[f"{noun}Name"]), params)


def holding(noun: str) -> dict[str, Handler]:
    """Listing, inline policies and attached policies of one kind of holder."""
    name_member, kind = f"{noun}Name", f"iam:{noun}"

    def listing(ctx: Context, params: Document) -> Document:
        return {f"{noun}s": [listed(ctx, row) for row in under(ctx, kind, params)]}

    def put_inline(ctx: Context, row: Row, params: Document) -> Document:
        parse_policy(params["PolicyDocument"], Form.IDENTITY)
        inline = {**row.document["_inline"], params["PolicyName"]: params["PolicyDocument"]}
        quotas.inline_fit(noun, row.name, inline)
        ctx.change(row, {"_inline": inline})
        return {}

    def get_inline(_: Context, row: Row, params: Document) -> Document:
        inline = row.document["_inline"]
        if params["PolicyName"] not in inline:
            raise text.missing_inline(params["PolicyName"], noun.lower())
        return {name_member: row.name, "PolicyName": params["PolicyName"], "PolicyDocument": inline[params["PolicyName"]]}

    def list_inline(_: Context, row: Row, __: Document) -> Document:
        return {"PolicyNames": sorted(row.document["_inline"])}

    def delete_inline(ctx: Context, row: Row, params: Document) -> Document:
        inline = dict(row.document["_inline"])
        if inline.pop(params["PolicyName"], None) is None:
            raise text.missing_inline(params["PolicyName"], noun.lower())
        ctx.change(row, {"_inline": inline})
        return {}

    def attach(ctx: Context, row: Row, params: Document) -> Document:
        attached = {*row.document["_attached"], used_policy(ctx, params["PolicyArn"]).arn}
        quotas.room(f"PoliciesPer{noun}", len(attached))
        ctx.change(row, {"_attached": sorted(attached)})
        return {}

    def detach(ctx: Context, row: Row, params: Document) -> Document:
        if params["PolicyArn"] not in row.document["_attached"]:
            raise text.missing_policy(params["PolicyArn"])
        ctx.change(row, {"_attached": [arn for arn in row.document["_attached"] if arn != params["PolicyArn"]]})
        return {}

    def list_attached(ctx: Context, row: Row, params: Document) -> Document:
        prefix = params.get("PathPrefix") or "/"
        policies = [find_policy(ctx, arn) for arn in row.document["_attached"]]
        return {"AttachedPolicies": [attached(policy) for policy in policies if policy.document["Path"].startswith(prefix)]}

    return {
        f"List{noun}s": listing,
        f"Put{noun}Policy": _changing(noun, put_inline), f"Get{noun}Policy": _on(noun, get_inline), f"List{noun}Policies": _on(noun, list_inline),
        f"Delete{noun}Policy": _changing(noun, delete_inline), f"Attach{noun}Policy": _changing(noun, attach), f"Detach{noun}Policy": _changing(noun, detach),
        f"ListAttached{noun}Policies": _on(noun, list_attached),
    }  # fmt: skip


def attached(policy: Row) -> Document:
    """A managed policy as the lists of its holders show it."""
    return {"PolicyName": policy.name, "PolicyArn": policy.arn}


def bounded(noun: str) -> dict[str, Handler]:
    """Permissions boundary and tags of users and roles."""

    def put_boundary(ctx: Context, row: Row, params: Document) -> Document:
        ctx.change(row, {"PermissionsBoundary": _boundary(ctx, params["PermissionsBoundary"])})
        return {}

    def delete_boundary(ctx: Context, row: Row, _: Document) -> Document:
        ctx.change(row, {"PermissionsBoundary": None})
        return {}

    return {
        f"Put{noun}PermissionsBoundary": _changing(noun, put_boundary),
        f"Delete{noun}PermissionsBoundary": _changing(noun, delete_boundary),
        **tagged.tagging(noun, lambda ctx, params: find(ctx, noun, params[f"{noun}Name"])),
    }
