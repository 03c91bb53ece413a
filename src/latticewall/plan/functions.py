"""Lambda functions as the `functions` process keeps and invokes them."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.base.secret import Secret


@dataclass(frozen=True)
class FunctionVersion:
    """One version. version: "$LATEST" or a number. code: hex SHA-256 of its zip. timeout: seconds. memory, storage: MB. log_group: where its output goes."""

    version: str
    code: str
    runtime: str
    handler: str
    timeout: int
    memory: int
    storage: int
    log_group: str
    environment: tuple[tuple[str, Secret], ...] = ()


@dataclass(frozen=True)
class Function:
    """arn: without version. aliases: name -> [(version, share of the invocations, together 1)]. reserved: concurrent executions at most, -1 = not limited."""

    arn: str
    name: str
    account: str
    region: str
    versions: tuple[FunctionVersion, ...]
    aliases: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    reserved: int = -1


@dataclass(frozen=True, order=True)
class FunctionTarget:
    """A VPC Lattice target group of type LAMBDA. qualifier: version or alias, "" for $LATEST. event: V1 or V2. permitted: whether the function's policy
    lets VPC Lattice invoke it for this group."""

    target_group_arn: str
    function_arn: str
    qualifier: str
    event: str
    permitted: bool


@dataclass(frozen=True)
class FunctionsPlan:
    """All functions of the node, and the target groups that lead to them."""

    functions: tuple[Function, ...] = ()
    targets: tuple[FunctionTarget, ...] = ()
