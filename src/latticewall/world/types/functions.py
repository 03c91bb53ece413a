"""Lambda functions."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.base.secret import Secret


@dataclass(frozen=True)
class LambdaVersion:
    """version: "$LATEST" or a number. code: digest of its package. timeout: seconds. memory, storage: MB."""

    version: str
    code: str
    runtime: str
    handler: str
    timeout: int
    memory: int
    storage: int
    log_group: str
    environment: tuple[tuple[str, Secret], ...]


@dataclass(frozen=True)
class LambdaFunction:
    """aliases: name -> [(version, share)]. policies: qualifier ("" for none) -> the resource-based policy. reserved: concurrent executions, -1 = no limit."""

    arn: str
    name: str
    account: str
    versions: tuple[LambdaVersion, ...]
    aliases: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    policies: tuple[tuple[str, str], ...]
    reserved: int
