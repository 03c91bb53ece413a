"""An explanation as lines to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.faces.cli.output import Output

_MARKS = {"pass": "ok  ", "fail": "DENY", "audit": "AUDT", "skip": "-   ", "unknown": "?   "}
_INDENT = " " * 5


def show(answer: Mapping[str, Any], output: Output) -> None:
    """The verdict first, then every gate, then what to know."""
    output.line(answer["summary"])
    if line := _asked(answer):
        output.line(line)
    for gate in answer["gates"]:
        _show_gate(gate, output, "")
    if text := answer["decision"].get("text"):
        output.line(f"the answer: {text}")
    for note in answer["notes"]:
        output.line(f"note: {note}")


def _asked(answer: Mapping[str, Any]) -> str:
    """Who asked what, from where; what is not known is left out."""
    request, caller = answer["request"], answer["caller"]
    if not request:
        return ""
    port = "" if request["port"] == 80 else f":{request['port']}"
    words = [f"{request['method']} http://{request['host']}{port}{request['target']}", f"by {caller['arn']}" if caller.get("arn") else ""]
    if request.get("vpc"):
        words.append(f"from {request.get('instance') or request.get('address') or 'anywhere'} in {request['vpc']}")
    return " ".join(filter(None, words))


def _show_gate(gate: Mapping[str, Any], output: Output, indent: str) -> None:
    decided = f" ({gate['decided_by']})" if gate["decided_by"] else ""
    output.line(f"{indent}{_MARKS[gate['outcome']]} {gate['name']}: {gate['detail']}{decided}")
    for line in gate["failed"] if not gate["parts"] else ():
        output.line(f"{indent}{_INDENT}  not: {line}")
    for line in gate["change"] if not gate["parts"] else ():
        output.line(f"{indent}{_INDENT}  change: {line}")
    for part in gate["parts"]:
        _show_gate(part, output, indent + _INDENT)
