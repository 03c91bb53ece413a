"""The table of sub-commands, in the order of the help. A new command is a module with a `COMMAND` and a row here."""

from __future__ import annotations

from latticewall.faces.cli.command import Command
from latticewall.faces.cli.commands import (
    certificate_authority,
    credentials,
    deploy,
    doctor,
    down,
    env,
    execute,
    explain,
    logs,
    plan,
    policy,
    status,
    up,
    wait,
    walkthrough,
)

COMMANDS: tuple[Command, ...] = (
    up.COMMAND,
    down.COMMAND,
    status.COMMAND,
    env.COMMAND,
    credentials.COMMAND,
    certificate_authority.COMMAND,
    deploy.COMMAND,
    execute.COMMAND,
    explain.COMMAND,
    policy.COMMAND,
    logs.COMMAND,
    plan.COMMAND,
    wait.COMMAND,
    doctor.COMMAND,
    walkthrough.COMMAND,
)
