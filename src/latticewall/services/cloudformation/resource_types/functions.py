"""Types of Lambda ("AWS::Lambda resource type reference")."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from latticewall.services.cloudformation import text
from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work

SOURCES = {"python": "index.py", "nodejs": "index.js"}
"""The file that inline code becomes, by the beginning of its runtime ("AWS::Lambda::Function Code")."""
LONGEST_INLINE = 4 * 1024 * 1024
_ALREADY_SAID = ("Tags", "Code", "ReservedConcurrentExecutions")
_EMPTY: Mapping[str, Any] = {
    "Description": "", "Timeout": 3, "MemorySize": 128, "Environment": {"Variables": {}}, "EphemeralStorage": {"Size": 512},
}  # fmt: skip
"""What a function has of properties that were taken away."""


# -- functions -----------------------------------------------------------------------------------------------------------------------------


def _code(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The code as the API wants it: inline source as a zip with one file, always the same bytes for the same source."""
    given = dict(properties.get("Code") or {})
    source = given.get("ZipFile")
    if source is None:
        return given
    runtime = str(properties.get("Runtime") or "")
    name = next((file for start, file in SOURCES.items() if runtime.startswith(start)), "")
    if not name:
        raise text.invalid(f"ZipFile can only be used when Runtime is set to either of nodejs, python (is {runtime or 'not set'})")
    if len(str(source).encode()) > LONGEST_INLINE:
        raise text.invalid(f"ZipFile can be at most {LONGEST_INLINE} bytes long")
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, str(source))
    return {**given, "ZipFile": held.getvalue()}


def _make_function(work: Work, properties: Properties) -> Made:
    given = {name: value for name, value in properties.items() if name not in _ALREADY_SAID}
    params = {**work.input("lambda:CreateFunction", given), "Code": _code(properties)}
    made = work.call("lambda:CreateFunction", {**params, **({"Tags": dict(work.tags)} if work.tags else {})})
    _reserve(work, made["FunctionName"], {}, properties)
    return Made(made["FunctionName"], made["FunctionArn"])


def _change_function(work: Work, made: Made, properties: Properties) -> None:
    named = {"FunctionName": made.physical_id}
    old, code = made.properties, _code(properties)
    if code != _code(old) or properties.get("Architectures") != old.get("Architectures"):
        architectures = {"Architectures": properties["Architectures"]} if properties.get("Architectures") else {}
        work.call("lambda:UpdateFunctionCode", {**named, **code, **architectures})
    changed = [name for name in {**old, **properties} if old.get(name) != properties.get(name) and name not in (*_ALREADY_SAID, "Architectures")]
    if changed:
        given = {name: value for name, value in properties.items() if name not in _ALREADY_SAID}
        work.call("lambda:UpdateFunctionConfiguration", {**work.input("lambda:UpdateFunctionConfiguration", {**_EMPTY, **given}), **named})
    _reserve(work, made.physical_id, old, properties)


def _reserve(work: Work, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    before, after = old.get("ReservedConcurrentExecutions"), new.get("ReservedConcurrentExecutions")
    if after is not None and after != before:
        work.call("lambda:PutFunctionConcurrency", {"FunctionName": name, "ReservedConcurrentExecutions": int(after)})
    if after is None and before is not None:
        work.call("lambda:DeleteFunctionConcurrency", {"FunctionName": name})


# -- versions and aliases ------------------------------------------------------------------------------------------------------------------


def _make_version(work: Work, properties: Properties) -> Made:
    made = work.call("lambda:PublishVersion", work.input("lambda:PublishVersion", properties))
    return Made(made["FunctionArn"], made["FunctionArn"])


def _delete_version(work: Work, made: Made) -> None:
    work.call("lambda:DeleteFunction", {"FunctionName": made.physical_id})


def _alias(work: Work, operation: str, properties: Properties) -> dict[str, Any]:
    """Weights are a list in templates and a map in the API."""
    given = {name: value for name, value in properties.items() if name != "RoutingConfig"}
    listed = (properties.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
    weights = {str(one["FunctionVersion"]): float(one["FunctionWeight"]) for one in listed}
    return {**work.input(operation, given), "RoutingConfig": {"AdditionalVersionWeights": weights}}


def _make_alias(work: Work, properties: Properties) -> Made:
    made = work.call("lambda:CreateAlias", _alias(work, "lambda:CreateAlias", properties))
    return Made(made["AliasArn"], made["AliasArn"])


def _change_alias(work: Work, made: Made, properties: Properties) -> None:  # noqa: ARG001 - the signature of the table's functions
    work.call("lambda:UpdateAlias", _alias(work, "lambda:UpdateAlias", {"Description": "", **properties}))


def _delete_alias(work: Work, made: Made) -> None:
    function, _, name = made.physical_id.rpartition(":")
    work.call("lambda:DeleteAlias", {"FunctionName": function, "Name": name})


# -- permissions ---------------------------------------------------------------------------------------------------------------------------


def _permit(work: Work, properties: Properties) -> Made:
    statement = work.name(100)
    work.call("lambda:AddPermission", {**work.input("lambda:AddPermission", properties), "StatementId": statement})
    return Made(statement)


def _forbid(work: Work, made: Made) -> None:
    work.call("lambda:RemovePermission", {"FunctionName": made.properties["FunctionName"], "StatementId": made.physical_id})


TYPES = (
    ResourceType(
        "AWS::Lambda::Function",
        "FunctionName= Code! Role! Runtime Handler Description Timeout MemorySize Environment EphemeralStorage LoggingConfig Architectures PackageType= "
        "ReservedConcurrentExecutions VpcConfig Layers TracingConfig KmsKeyArn DeadLetterConfig FileSystemConfigs ImageConfig SnapStart",
        kind="lambda:Function", create="lambda:CreateFunction", ref="name", name="FunctionName:64", key="FunctionName=name", making=_make_function,
        changing=_change_function, delete="lambda:DeleteFunction", tagging="lambda", by_hand=frozenset({"Code", "ReservedConcurrentExecutions"}),
        parts={"Code": "ZipFile S3Bucket S3Key S3ObjectVersion ImageUri"}, attributes={"Arn": "@arn"},
    ),
    ResourceType(
        "AWS::Lambda::Version", "FunctionName=! Description= CodeSha256=", kind="lambda:Version", create="lambda:PublishVersion", making=_make_version,
        removing=_delete_version, attributes={"Version": "Version", "FunctionArn": "@arn"},
    ),
    ResourceType(
        "AWS::Lambda::Alias", "FunctionName=! Name=! FunctionVersion! Description RoutingConfig", kind="lambda:Alias", create="lambda:CreateAlias",
        making=_make_alias, changing=_change_alias, removing=_delete_alias, by_hand=frozenset({"RoutingConfig"}), attributes={"AliasArn": "@arn"},
    ),
    ResourceType(
        "AWS::Lambda::Permission",
        "FunctionName=! Action=! Principal=! SourceArn= SourceAccount= PrincipalOrgID= EventSourceToken= FunctionUrlAuthType=", create="lambda:AddPermission",
        making=_permit, removing=_forbid, attributes={"Id": "@ref"},
    ),
)  # fmt: skip
