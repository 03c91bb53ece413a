"""Function names as calls give them: a name, a partial or a whole ARN, with or without a version or alias ("Lambda API Reference", FunctionName)."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.services.lambda_ import text

FUNCTION = "lambda:Function"
VERSION = "lambda:Version"
ALIAS = "lambda:Alias"
LATEST = "$LATEST"


@dataclass(frozen=True)
class Named:
    """What a FunctionName (and a Qualifier) say. qualifier: "" when none is given. arn: qualified as it was asked for."""

    name: str
    qualifier: str
    arn: str


def parse(ctx: Context, given: str, qualifier: str | None = None) -> Named:
    """Raises ResourceNotFound for a function of another account or region, InvalidParameterValue for contradicting qualifiers."""
    owner, name, of_name = _split(given)
    account = owner[-1] if owner else ctx.caller.account
    region = owner[0] if len(owner) > 1 else ctx.caller.region
    if qualifier and of_name and qualifier != of_name:
        raise text.invalid("The derived qualifier from the function name does not match the specified qualifier.", "Qualifier")
    chosen = qualifier or of_name
    arn = f"arn:aws:lambda:{region}:{account}:function:{name}" + (f":{chosen}" if chosen else "")
    if (account, region) != (ctx.caller.account, ctx.caller.region):
        raise text.no_function(arn)
    return Named(name, chosen, arn)


def function_name(given: str) -> str:
    """The function's own name in any of these forms, whoever's it is."""
    return _split(given)[1]


def _split(given: str) -> tuple[list[str], str, str]:
    """([region and] account before the name, if any; name; qualifier). Only a whole word `function` before the name leads to it: names may end in one."""
    words = given.split(":")
    if words[0] == "arn":
        words = words[3:]
    named = words.index("function") + 1 if "function" in words[:-1][:3] else 0
    return words[: max(named - 1, 0)], words[named] if words[named:] else "", ":".join(words[named + 1 :])


def function_of(ctx: Context, named: Named) -> Row:
    """The function, whatever the qualifier. Raises ResourceNotFound."""
    row = ctx.find(FUNCTION, named.name)
    if row is None:
        raise text.no_function(named.arn)
    return row


def find_function(ctx: Context, given: str) -> Row:
    """The function that an unqualified name means. Raises InvalidParameterValue for a qualified one."""
    named = parse(ctx, given)
    if named.qualifier not in ("", LATEST):
        raise text.invalid(f"This operation does not permit to include a function alias or version: {given}", "FunctionName")
    return function_of(ctx, named)


def alias_of(ctx: Context, function: Row, name: str) -> Row | None:
    return ctx.find(ALIAS, f"{function.arn}:{name}")


def executable(ctx: Context, named: Named) -> Row:
    """The row of the version that a name means: the function's own for $LATEST, else a published one; an alias stands for its main version."""
    function = function_of(ctx, named)
    qualifier = named.qualifier or LATEST
    if alias := alias_of(ctx, function, qualifier):
        qualifier = alias.document["FunctionVersion"]
    if qualifier == LATEST:
        return function
    version = ctx.find(VERSION, f"{function.arn}:{qualifier}")
    if version is None:
        raise text.no_function(named.arn)
    return version
