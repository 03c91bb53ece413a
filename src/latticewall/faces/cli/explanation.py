"""An explanation as lines to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from latticewall.faces.cli.output import Output

_MARKS = {"pass": "ok  ", "fail": "DENY", "audit": "AUDT", "skip": "-   ", "unknown": "?   "}
_INDENT = " " * 5
_USUAL = (("http", 80), ("https", 443))
"""Ports that a URL need not name."""


def show(answer: Mapping[str, Any], output: Output) -> None:
    """The verdict first, then every gate, then what to know."""
    output.line(answer["summary"])
    if line := _asked(answer):
        output.line(line)
    for gate in answer["gates"]:
        _show_gate(gate, output, "")
    _show_changes(answer["verdict"], answer["changes"], output)
    if text := answer["decision"].get("text"):
        output.line(f"the answer: {text}")
    if signature := answer.get("signature"):
        _show_signature(signature, output)
    for note in answer["notes"]:
        output.line(f"note: {note}")


def _asked(answer: Mapping[str, Any]) -> str:
    """Who asked what, from where; what is not known is left out."""
    request, caller = answer["request"], answer["caller"]
    if not request:
        return ""
    scheme = request.get("scheme", "http")
    host = f"[{request['host']}]" if ":" in request["host"] else request["host"]
    place = host if (scheme, request["port"]) in _USUAL else f"{host}:{request['port']}"
    what = f"{request['method']} {scheme}://{place}{request['target']}" if scheme in ("http", "https") else f"a {scheme} connection to {place}"
    words = [what, f"by {caller['arn']}" if caller.get("arn") else ""]
    words += [f"(claims access key {caller['claims']})"] if caller.get("claims") else []
    if request.get("vpc"):
        words.append(f"from {request.get('instance') or request.get('address') or 'anywhere'} in {request['vpc']}")
    return " ".join(filter(None, words))


def _show_gate(gate: Mapping[str, Any], output: Output, indent: str) -> None:
    decided = f" ({gate['decided_by']})" if gate["decided_by"] else ""
    output.line(f"{indent}{_MARKS[gate['outcome']]} {gate['name']}: {gate['detail']}{decided}")
    for line in gate["failed"] if not gate["parts"] else ():
        output.line(f"{indent}{_INDENT}  {'found' if gate['name'] == 'signature' else 'not'}: {line}")
    for part in gate["parts"]:
        _show_gate(part, output, indent + _INDENT)


def _show_changes(verdict: str, changes: Sequence[Mapping[str, str]], output: Output) -> None:
    """All that is needed, numbered where it is several."""
    if not changes:
        return
    wanted = "with audit mode off, it would need" if verdict == "allowed" else "to let it pass"
    if len(changes) == 1:
        output.line(f"{wanted}: {changes[0]['change']}")
        return
    output.line(f"{wanted}, all of these:")
    for number, change in enumerate(changes, 1):
        output.line(f"  {number}. {change['change']} [{change['gate']}]")


def _show_signature(signature: Mapping[str, Any], output: Output) -> None:
    """Both canonical requests, side by side, the first difference marked; ours alone when nothing explains the signature."""
    expected, signed, difference = signature["expected"], signature["signed"], signature["difference"]
    for mistake in signature["mistakes"]:
        output.line(f"signature: {mistake}")
    if signed and not signature["mistakes"]:
        output.line("signature: it is right, for what was signed: it was refused for the reason above, not for a difference")
    for note in signature["notes"]:
        output.line(f"signature: {note}")
    same = signed and all(expected[member] == signed[member] for member in ("canonical_request", "string_to_sign", "key"))
    if not expected or same:
        return
    for part, member in (("canonical request", "canonical_request"), ("string to sign", "string_to_sign")):
        marked = difference["line"] if difference and difference["part"] == part else 0
        _show_sides(part, expected[member], signed[member] if signed else (), marked, output)
        if marked:
            output.line(f"first difference: line {marked} of the {part}, from column {difference['column']} on")
            break
    if signed and expected["key"] != signed["key"]:
        output.line(f"signing key: expected that of {expected['key']}, signed with that of {signed['key']}")


def _show_sides(part: str, left: Sequence[str], right: Sequence[str], marked: int, output: Output) -> None:
    rows = [
        (">>" if number == marked else "", str(number), *pair)
        for number, pair in enumerate(zip_longest(left, right, fillvalue=""), 1)
    ]
    columns = ("", "line", f"{part} as computed here", "as the client must have signed it")
    output.table(columns if right else columns[:3], rows if right else [row[:3] for row in rows], numbers=("line",))
