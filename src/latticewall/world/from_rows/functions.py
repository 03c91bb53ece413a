"""Lambda's rows as the world sees them."""

from __future__ import annotations

import json

from latticewall.base.rows import Row
from latticewall.base.secret import Secret
from latticewall.world.from_rows.rows import Rows
from latticewall.world.types.functions import LambdaFunction, LambdaVersion


def build_functions(rows: Rows) -> tuple[LambdaFunction, ...]:
    return tuple(_function(rows, row) for row in rows.of("lambda:Function"))


def _function(rows: Rows, row: Row) -> LambdaFunction:
    versions = (row, *rows.children("lambda:Version", row.id))
    aliases = ((alias.name, _weights(alias)) for alias in rows.children("lambda:Alias", row.id))
    policies = {name: json.dumps({"Version": "2012-10-17", "Statement": policy["statements"]}) for name, policy in row.document["_policies"].items()}
    return LambdaFunction(
        arn=row.arn, name=row.name, account=row.account, versions=tuple(_version(version) for version in versions), aliases=tuple(sorted(aliases)),
        policies=tuple(sorted(policies.items())), reserved=row.document.get("_reserved", -1),
    )  # fmt: skip


def _version(row: Row) -> LambdaVersion:
    document = row.document
    variables = (document.get("Environment") or {}).get("Variables") or {}
    return LambdaVersion(
        version=document.get("Version", "$LATEST"), code=document["_code"], runtime=document["Runtime"], handler=document["Handler"],
        timeout=int(document["Timeout"]), memory=int(document["MemorySize"]), storage=int(document["EphemeralStorage"]["Size"]),
        log_group=document["LoggingConfig"]["LogGroup"], environment=tuple((name, Secret(value)) for name, value in sorted(variables.items())),
    )  # fmt: skip


def _weights(alias: Row) -> tuple[tuple[str, float], ...]:
    further = (alias.document.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    main = (str(alias.document["FunctionVersion"]), 1.0 - sum(further.values()))
    return (main, *((str(version), float(share)) for version, share in sorted(further.items())))
