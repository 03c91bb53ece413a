"""Warnings about policies that are legal and pointless, or that let in whom their author did not mean. Pure.

Pages followed: VPC Lattice User Guide, "Control access to VPC Lattice services using auth policies"; IAM User Guide, "IAM JSON policy elements" and
"IAM Access Analyzer policy check reference". What cannot be a policy at all is one finding of severity ERROR.
"""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.policy.document import Form, Malformed, parse_policy
from latticewall.policy.lint.conditions import condition_remarks
from latticewall.policy.lint.remark import Remark, Severity
from latticewall.policy.lint.resources import resource_remarks
from latticewall.policy.lint.statements import policy_remarks, statement_remarks
from latticewall.policy.source import Places, line_and_column, load, spell

__all__ = ["Finding", "Severity", "lint"]


@dataclass(frozen=True)
class Finding:
    """One remark about a policy. code: stable, for filters. path: `Statement[0].Condition.Bool.aws:x`. line, column: where in the text, from 1.
    suggestion: what to write instead, "" if that depends on what was meant."""

    severity: Severity
    code: str
    path: str
    line: int
    column: int
    sentence: str
    suggestion: str = ""

    def __str__(self) -> str:
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"line {self.line} column {self.column}: {self.severity}: {self.sentence}{hint} [{self.code}]"


def lint(text: str, form: Form) -> tuple[Finding, ...]:
    """What is wrong with, or odd about, a policy, in the order of its text; never raises for what the text says."""
    try:
        policy = parse_policy(text, form)
    except Malformed as fault:
        return (Finding(Severity.ERROR, "malformed", fault.path, fault.line, fault.column, fault.message),)
    document = load(text)
    written = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    remarks = list(policy_remarks(policy, document))
    for statement, item in zip(policy.statements, written, strict=True):
        remarks += statement_remarks(policy, statement)
        remarks += resource_remarks(policy, statement)
        remarks += condition_remarks(policy, statement, item.get("Condition", {}))
    places = Places(text)
    found = [(places.offset(remark.path, at_name=remark.at_name), remark) for remark in remarks]
    return tuple(_finding(text, offset, remark) for offset, remark in sorted(found, key=lambda entry: entry[0]))


def _finding(text: str, offset: int, remark: Remark) -> Finding:
    line, column = line_and_column(text, offset)
    return Finding(remark.severity, remark.code, spell(remark.path), line, column, remark.sentence, remark.suggestion)
