"""Functions, their versions and aliases ("Lambda API Reference")."""

from __future__ import annotations

from typing import Any

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.lambda_ import code, configuration, text
from latticewall.services.lambda_.names import ALIAS, FUNCTION, LATEST, VERSION, alias_of, executable, find_function, function_of, parse

LONGEST_NAME = 64
BUSY = ("creating", "updating")
UNRESERVED = 100
CONCURRENCY = 200
"""Concurrent executions of all functions of an account, and what of them cannot be reserved ("Configuring reserved concurrency"; here for one machine)."""
CODE_BYTES = 80_530_636_800


def _time(ctx: Context) -> str:
    return ctx.now.replace("Z", "+0000")


# -- functions ------------------------------------------------------------------------------------------------------------------------------------


def create_function(ctx: Context, params: Document) -> Document:
    """CreateFunction."""
    named = parse(ctx, params["FunctionName"])
    if named.qualifier not in ("", LATEST) or len(named.name) > LONGEST_NAME:
        raise text.invalid(f"{params['FunctionName']} is no name for a function: up to {LONGEST_NAME} letters, digits, - and _", "FunctionName")
    for member in ("Runtime", "Handler"):
        if not params.get(member):
            raise text.invalid(f"{member} is mandatory for functions created with deployment packages.", member)
    if params.get("Architectures") not in (None, [], ["x86_64"], ["arm64"]):
        raise text.invalid("Architectures must be one of x86_64, arm64", "Architectures")
    given = configuration.read(ctx, params)
    if ctx.find(FUNCTION, named.name):
        raise text.conflict(f"Function already exist: {named.name}")
    document = {
        **configuration.complete(named.name, given), **code.read(ctx, params["Code"]), "_name": named.name, "_modified": _time(ctx),
        "_revision": ctx.new_uuid(), "_versions": 0, "_policies": {},
    }  # fmt: skip
    if params.get("Architectures"):
        document["Architectures"] = params["Architectures"]
    arn = f"arn:aws:lambda:{ctx.caller.region}:{ctx.caller.account}:function:{named.name}"
    row = ctx.create(FUNCTION, document, id=arn, name=named.name, tags=tags.read(params.get("Tags")))
    return configuration.shown(ctx, _publish(ctx, row, "") if params.get("Publish") else row)


def get_function(ctx: Context, params: Document) -> Document:
    """GetFunction: with a URL from which the code can be fetched for ten minutes."""
    named = parse(ctx, params["FunctionName"], params.get("Qualifier"))
    row, function = executable(ctx, named), function_of(ctx, named)
    location = ctx.ports["functions"].location(ctx.caller, row.document["_code"], ctx.now_datetime)
    answer: Document = {"Configuration": configuration.shown(ctx, row), "Code": {"RepositoryType": "S3", "Location": location}}
    if named.qualifier:
        answer["Configuration"]["FunctionArn"] = named.arn
    if function.tags:
        answer["Tags"] = dict(function.tags)
    reserved = function.document.get("_reserved")
    return answer | ({"Concurrency": {"ReservedConcurrentExecutions": reserved}} if reserved is not None else {})


def get_configuration(ctx: Context, params: Document) -> Document:
    named = parse(ctx, params["FunctionName"], params.get("Qualifier"))
    shown = configuration.shown(ctx, executable(ctx, named))
    return {**shown, "FunctionArn": named.arn} if named.qualifier else shown


def _changeable(ctx: Context, params: Document) -> Row:
    """The function to update: not in the middle of another change, and at the revision that the caller has seen."""
    row = find_function(ctx, params["FunctionName"])
    _refuse_busy(ctx, row)
    if params.get("RevisionId") and params["RevisionId"] != row.document["_revision"]:
        raise text.stale()
    return row


def _refuse_busy(ctx: Context, row: Row) -> None:
    """Not for what is changed by several calls of one transaction (a stack's update of code and configuration)."""
    own = ctx.tx.changed and row.revision == ctx.tx.new_revision
    if row.status in BUSY and not own:
        raise text.conflict(f"The operation cannot be performed at this time. An update is in progress for resource: {row.arn}")


def _change(ctx: Context, row: Row, members: Document) -> Row:
    return ctx.change(row, {**members, "_modified": _time(ctx), "_revision": ctx.new_uuid()}, settle=True)


def update_code(ctx: Context, params: Document) -> Document:
    """UpdateFunctionCode."""
    row = _changeable(ctx, params)
    members = code.read(ctx, params)
    if params.get("DryRun"):
        return {**configuration.shown(ctx, row), "CodeSize": members["_code_size"], "CodeSha256": members["_sha256"]}
    if params.get("Architectures"):
        members["Architectures"] = params["Architectures"]
    row = _change(ctx, row, members)
    return configuration.shown(ctx, _publish(ctx, row, "") if params.get("Publish") else row)


def update_configuration(ctx: Context, params: Document) -> Document:
    """UpdateFunctionConfiguration: members that are not given stay."""
    row = _changeable(ctx, params)
    given = configuration.read(ctx, params)
    if "LoggingConfig" in given:
        given["LoggingConfig"] = {**row.document["LoggingConfig"], **given["LoggingConfig"]}
    return configuration.shown(ctx, _change(ctx, row, given))


def delete_function(ctx: Context, params: Document) -> Document:
    """DeleteFunction: all of it, or one version."""
    named = parse(ctx, params["FunctionName"], params.get("Qualifier"))
    function = function_of(ctx, named)
    if not named.qualifier:
        _remove(ctx, function)
        return {"StatusCode": 204}
    if named.qualifier == LATEST:
        raise text.invalid("$LATEST version cannot be deleted without deleting the function.", "Qualifier")
    if alias_of(ctx, function, named.qualifier):
        raise text.invalid("Unable to delete alias with the DeleteFunction operation", "Qualifier")
    version = executable(ctx, named)
    users = [alias.name for alias in ctx.live(ALIAS, parent=function.id) if named.qualifier in _weights(alias)]
    if users:
        raise text.conflict(f"Version cannot be deleted because it is used by alias: {users[0]}")
    _remove(ctx, version)
    return {"StatusCode": 204}


def _remove(ctx: Context, row: Row) -> None:
    """Gone at once: the API has no status for a function that is going; the data plane follows."""
    left = ctx.remove(row)
    if left is not None:
        ctx.bury(left)


def list_functions(ctx: Context, params: Document) -> Document:
    """ListFunctions; with FunctionVersion ALL the published versions too."""
    rows = sorted(ctx.live(FUNCTION), key=lambda row: row.name)
    if params.get("FunctionVersion") == "ALL":
        rows = [found for row in rows for found in (row, *_versions(ctx, row))]
    return {"Functions": [_without_state(configuration.shown(ctx, row)) for row in rows]}


def _without_state(shown: Document) -> Document:
    """Lists do not tell states ("ListFunctions")."""
    hidden = ("State", "StateReason", "StateReasonCode", "LastUpdateStatus", "LastUpdateStatusReason", "LastUpdateStatusReasonCode")
    return {member: value for member, value in shown.items() if member not in hidden}


# -- versions -------------------------------------------------------------------------------------------------------------------------------------


def _versions(ctx: Context, function: Row) -> list[Row]:
    return sorted(ctx.live(VERSION, parent=function.id), key=lambda row: int(row.document["Version"]))


def publish_version(ctx: Context, params: Document) -> Document:
    """PublishVersion: nothing new when neither code nor configuration has changed since the last one."""
    row = _changeable(ctx, params)
    if params.get("CodeSha256") and params["CodeSha256"] != row.document["_sha256"]:
        raise text.invalid(f"CodeSHA256 ({params['CodeSha256']}) is different from current CodeSHA256 in $LATEST ({row.document['_sha256']}).", "CodeSha256")
    return configuration.shown(ctx, _publish(ctx, row, params.get("Description") or ""))


def _publish(ctx: Context, function: Row, description: str) -> Row:
    kept = {name: value for name, value in function.document.items() if name not in ("_versions", "_policies", "_reserved")}
    last = _versions(ctx, function)[-1:]
    if last and last[0].document["_of"] == function.document["_revision"]:
        return last[0]
    number = str(function.document["_versions"] + 1)
    document = {**kept, "Version": number, "_of": function.document["_revision"], "_revision": ctx.new_uuid()}
    if description:
        document["Description"] = description
    ctx.change(function, {"_versions": int(number)})
    return ctx.create(VERSION, document, id=f"{function.arn}:{number}", parent=function.id)


def list_versions(ctx: Context, params: Document) -> Document:
    function = find_function(ctx, params["FunctionName"])
    latest = {**configuration.shown(ctx, function), "FunctionArn": f"{function.arn}:{LATEST}"}
    return {"Versions": [_without_state(shown) for shown in (latest, *(configuration.shown(ctx, row) for row in _versions(ctx, function)))]}


# -- aliases --------------------------------------------------------------------------------------------------------------------------------------


def _weights(alias: Row) -> dict[str, float]:
    """The versions an alias leads to, with their shares of the invocations."""
    further = {str(version): float(share) for version, share in ((alias.document.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}).items()}
    return {alias.document["FunctionVersion"]: 1.0 - sum(further.values()), **further}


def _alias(ctx: Context, function: Row, params: Document) -> Document:
    """The members of an alias that are given, checked."""
    found = {member: params[member] for member in ("FunctionVersion", "Description", "RoutingConfig") if params.get(member) is not None}
    weights = dict((found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})
    if len(weights) > 1 or any(not 0.0 <= share <= 1.0 for share in weights.values()):
        raise text.invalid("An alias leads to at most two versions, with weights from 0.0 to 1.0", "RoutingConfig")
    if weights and found.get("FunctionVersion") == LATEST:
        raise text.invalid("$LATEST is not supported for an alias pointing to more than 1 version", "RoutingConfig")
    for version in (*([found["FunctionVersion"]] if "FunctionVersion" in found else []), *weights):
        if version != LATEST and ctx.find(VERSION, f"{function.arn}:{version}") is None:
            raise text.no_function(f"{function.arn}:{version}")
    return found


def _show_alias(row: Row) -> Document:
    shown: Document = {"AliasArn": row.arn, "Name": row.name, "FunctionVersion": row.document["FunctionVersion"], "RevisionId": row.document["_revision"]}
    shown["Description"] = row.document.get("Description", "")
    return shown | ({"RoutingConfig": row.document["RoutingConfig"]} if row.document.get("RoutingConfig") else {})


def _named_alias(ctx: Context, params: Document) -> Row:
    function = find_function(ctx, params["FunctionName"])
    row = alias_of(ctx, function, params["Name"])
    if row is None:
        raise text.not_found(f"Cannot find alias arn: {function.arn}:{params['Name']}")
    return row


def create_alias(ctx: Context, params: Document) -> Document:
    function = find_function(ctx, params["FunctionName"])
    name = params["Name"]
    if alias_of(ctx, function, name):
        raise text.conflict(f"Alias already exists: {function.arn}:{name}")
    document = {**_alias(ctx, function, params), "_revision": ctx.new_uuid()}
    return _show_alias(ctx.create(ALIAS, document, id=f"{function.arn}:{name}", name=name, parent=function.id))


def update_alias(ctx: Context, params: Document) -> Document:
    row = _named_alias(ctx, params)
    if params.get("RevisionId") and params["RevisionId"] != row.document["_revision"]:
        raise text.stale()
    function = find_function(ctx, params["FunctionName"])
    return _show_alias(ctx.change(row, {**_alias(ctx, function, params), "_revision": ctx.new_uuid()}))


def get_alias(ctx: Context, params: Document) -> Document:
    return _show_alias(_named_alias(ctx, params))


def list_aliases(ctx: Context, params: Document) -> Document:
    function = find_function(ctx, params["FunctionName"])
    rows = sorted(ctx.live(ALIAS, parent=function.id), key=lambda row: row.name)
    wanted = params.get("FunctionVersion")
    return {"Aliases": [_show_alias(row) for row in rows if not wanted or wanted in _weights(row)]}


def delete_alias(ctx: Context, params: Document) -> Document:
    """DeleteAlias; no error when there is none."""
    function = find_function(ctx, params["FunctionName"])
    if row := alias_of(ctx, function, params["Name"]):
        ctx.remove(row)
    return {}


# -- concurrency, tags, account -------------------------------------------------------------------------------------------------------------------


def _reserved(ctx: Context) -> dict[str, int]:
    return {row.id: row.document["_reserved"] for row in ctx.live(FUNCTION) if row.document.get("_reserved") is not None}


def put_concurrency(ctx: Context, params: Document) -> Document:
    row = find_function(ctx, params["FunctionName"])
    wanted = params["ReservedConcurrentExecutions"]
    if sum(count for function, count in _reserved(ctx).items() if function != row.id) + wanted > CONCURRENCY - UNRESERVED:
        raise text.invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of "
            f"[{UNRESERVED}].", "ReservedConcurrentExecutions",
        )  # fmt: skip
    ctx.change(row, {"_reserved": wanted})
    return {"ReservedConcurrentExecutions": wanted}


def get_concurrency(ctx: Context, params: Document) -> Document:
    reserved = find_function(ctx, params["FunctionName"]).document.get("_reserved")
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


def delete_concurrency(ctx: Context, params: Document) -> Document:
    ctx.change(find_function(ctx, params["FunctionName"]), {"_reserved": None})
    return {}


def account_settings(ctx: Context, _: Document) -> Document:
    rows = [*ctx.live(FUNCTION), *ctx.live(VERSION)]
    unreserved = CONCURRENCY - sum(_reserved(ctx).values())
    limit: dict[str, Any] = {
        "TotalCodeSize": CODE_BYTES, "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": code.LARGEST_UPLOAD, "ConcurrentExecutions": CONCURRENCY,
        "UnreservedConcurrentExecutions": unreserved,
    }  # fmt: skip
    usage = {"TotalCodeSize": sum(row.document["_code_size"] for row in rows), "FunctionCount": len(ctx.live(FUNCTION))}
    return {"AccountLimit": limit, "AccountUsage": usage}


def tag(ctx: Context, params: Document) -> Document:
    ctx.tag(find_function(ctx, params["Resource"]), tags.read(params["Tags"]))
    return {}


def untag(ctx: Context, params: Document) -> Document:
    ctx.tag(find_function(ctx, params["Resource"]), removed=params["TagKeys"])
    return {}


def list_tags(ctx: Context, params: Document) -> Document:
    return {"Tags": dict(find_function(ctx, params["Resource"]).tags)}


def signing_config(ctx: Context, params: Document) -> Document:
    """GetFunctionCodeSigningConfig: no function has one."""
    return {"FunctionName": find_function(ctx, params["FunctionName"]).name}


def recursion_config(ctx: Context, params: Document) -> Document:
    """GetFunctionRecursionConfig: loops are not looked for."""
    find_function(ctx, params["FunctionName"])
    return {"RecursiveLoop": "Allow"}


OPERATIONS: dict[str, Handler] = {
    "CreateFunction": create_function,
    "GetFunction": get_function,
    "GetFunctionConfiguration": get_configuration,
    "UpdateFunctionCode": update_code,
    "UpdateFunctionConfiguration": update_configuration,
    "DeleteFunction": delete_function,
    "ListFunctions": list_functions,
    "PublishVersion": publish_version,
    "ListVersionsByFunction": list_versions,
    "CreateAlias": create_alias,
    "UpdateAlias": update_alias,
    "GetAlias": get_alias,
    "ListAliases": list_aliases,
    "DeleteAlias": delete_alias,
    "PutFunctionConcurrency": put_concurrency,
    "GetFunctionConcurrency": get_concurrency,
    "DeleteFunctionConcurrency": delete_concurrency,
    "GetAccountSettings": account_settings,
    "TagResource": tag,
    "UntagResource": untag,
    "ListTags": list_tags,
    "GetFunctionCodeSigningConfig": signing_config,
    "GetFunctionRecursionConfig": recursion_config,
}
