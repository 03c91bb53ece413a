"""What a function is configured with: checked, defaulted, and shown ("CreateFunction", "FunctionConfiguration" in the Lambda API Reference)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.auth.assuming import Assumption, refused_action
from latticewall.base.rows import Row
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.request import Principal, global_context
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.lambda_ import text

PRINCIPAL = "lambda.amazonaws.com"
LONGEST_TIMEOUT, MOST_MEMORY = 900, 10_240
MEMORY, TIMEOUT, STORAGE = 128, 3, 512
"""Defaults: MB, seconds, MB."""
LARGEST_ENVIRONMENT = 4096
RESERVED = frozenset(
    {
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
    }
)  # fmt: skip
""""Using Lambda environment variables": keys that cannot be set."""
_ABSENT = {
    "KMSKeyArn": "there is no KMS", "DeadLetterConfig": "there are no dead-letter queues", "FileSystemConfigs": "there are no file systems",
    "CodeSigningConfigArn": "code signing is not there", "ImageConfig": "container images are not run", "Layers": "layers are not there",
    "TenancyConfig": "tenant isolation is not there", "CapacityProviderConfig": "capacity providers are not there",
    "DurableConfig": "durable functions are not there", "AcceleratorConfig": "accelerators are not there",
}  # fmt: skip
_SHOWN = ("Runtime", "Role", "Handler", "Description", "Timeout", "MemorySize", "Environment", "EphemeralStorage", "LoggingConfig", "Architectures")


def check_supported(params: Mapping[str, Any]) -> None:
    """Raises for what is there in AWS and not here; empty values say nothing and pass."""
    for member, reason in _ABSENT.items():
        given = params.get(member)
        if given and not (isinstance(given, Mapping) and not any(given.values())):
            raise text.unsupported(member, f"{member} is not supported by latticewall: {reason}")
    vpc = params.get("VpcConfig") or {}
    if vpc.get("SubnetIds") or vpc.get("SecurityGroupIds"):
        raise text.unsupported("VpcConfig", "Functions in a VPC are not supported by latticewall yet")
    if (params.get("PackageType") or "Zip") != "Zip":
        raise text.unsupported("PackageType", "Only functions of package type Zip are supported by latticewall")
    if ((params.get("SnapStart") or {}).get("ApplyOn") or "None") != "None":
        raise text.unsupported("SnapStart", "SnapStart is not supported by latticewall")
    if ((params.get("TracingConfig") or {}).get("Mode") or "PassThrough") != "PassThrough":
        raise text.unsupported("TracingConfig", "Active tracing is not supported by latticewall: there is no X-Ray")
    if ((params.get("LoggingConfig") or {}).get("LogFormat") or "Text") != "Text":
        raise text.unsupported("LoggingConfig.LogFormat", "Only the log format Text is supported by latticewall")


def read(ctx: Context, params: Mapping[str, Any]) -> Document:
    """The members that are given, checked. Raises InvalidParameterValue."""
    check_supported(params)
    found: Document = {member: params[member] for member in ("Description", "Handler") if params.get(member) is not None}
    if (runtime := params.get("Runtime")) is not None:
        if refusal := ctx.ports["functions"].refusal_of_runtime(runtime):
            raise text.unsupported("Runtime", f"{refusal[:1].upper()}{refusal[1:]}")
        found["Runtime"] = runtime
    for member, most in (("Timeout", LONGEST_TIMEOUT), ("MemorySize", MOST_MEMORY)):
        if (value := params.get(member)) is not None:
            if value > most:
                raise text.invalid(f"'{member}' value failed to satisfy constraint: Member must have value less than or equal to {most}", member)
            found[member] = value
    if params.get("EphemeralStorage"):
        found["EphemeralStorage"] = {"Size": params["EphemeralStorage"]["Size"]}
    if params.get("LoggingConfig") is not None:
        found["LoggingConfig"] = dict(params["LoggingConfig"])
    if params.get("Environment") is not None:
        found["Environment"] = {"Variables": _variables(params["Environment"].get("Variables") or {})}
    if params.get("Role") is not None:
        found["Role"] = _role(ctx, params["Role"])
    return found


def _variables(variables: Mapping[str, str]) -> dict[str, str]:
    if reserved := sorted(RESERVED & variables.keys()):
        raise text.invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that "
            f"are currently not supported for modification. Reserved keys used in this request: {', '.join(reserved)}",
            "Environment.Variables",
        )
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > LARGEST_ENVIRONMENT:
        limit = f"exceeded the {LARGEST_ENVIRONMENT // 1024}KB limit"
        raise text.invalid(
            f"Lambda was unable to configure your environment variables because the environment variables you have provided {limit}.", "Environment.Variables"
        )
    if any("\0" in value for value in variables.values()):
        raise text.invalid("An environment variable contains a character that none may contain", "Environment.Variables")
    return dict(variables)


def _role(ctx: Context, arn: str) -> str:
    """The role must be the account's own and let Lambda in ("Defining Lambda function permissions with an execution role")."""
    role = ctx.find("iam:Role", arn)
    if role is None and f":{ctx.caller.account}:" not in arn:
        raise text.invalid("Cross-account pass role is not allowed.", "Role")
    if role is None or not lets_lambda_in(ctx, role):
        raise text.invalid("The role defined for the function cannot be assumed by Lambda.", "Role")
    return arn


def lets_lambda_in(ctx: Context, role: Row) -> bool:
    principal = Principal.service(PRINCIPAL)
    context = global_context(principal, now=ctx.now_datetime, region="")
    return not refused_action(ctx.tx, role, Assumption("sts:AssumeRole", "lambda"), principal, PrincipalPolicies(), context)


def complete(name: str, given: Mapping[str, Any]) -> Document:
    """A new function's configuration with its defaults."""
    logging = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}", **(given.get("LoggingConfig") or {})}
    defaults = {
        "Description": "", "Timeout": TIMEOUT, "MemorySize": MEMORY, "EphemeralStorage": {"Size": STORAGE}, "Architectures": ["x86_64"],
    }  # fmt: skip
    return {**defaults, **given, "LoggingConfig": logging}


def shown(_: Context, row: Row) -> Document:
    """The FunctionConfiguration of $LATEST (a function's row) or of a version."""
    document = row.document
    version = document.get("Version", "$LATEST")
    status = {"creating": ("Pending", "The function is being created."), "failed": ("Failed", row.reason)}.get(row.status)
    found = {member: document[member] for member in _SHOWN if member in document}
    found |= {
        "FunctionName": document["_name"], "FunctionArn": row.arn, "Version": version, "CodeSize": document["_code_size"], "CodeSha256": document["_sha256"],
        "LastModified": document["_modified"], "RevisionId": document["_revision"], "PackageType": "Zip", "TracingConfig": {"Mode": "PassThrough"},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"}, "State": status[0] if status else "Active",
    }  # fmt: skip
    if status:
        found |= {"StateReason": status[1], "StateReasonCode": "Creating" if status[0] == "Pending" else "InternalError"}
    update = "InProgress" if row.status in ("creating", "updating") else "Failed" if row.reason else "Successful"
    found["LastUpdateStatus"] = update
    if update == "Failed":
        found |= {"LastUpdateStatusReason": row.reason, "LastUpdateStatusReasonCode": "InternalError"}
    return found
