"""Resources that no request on the service network is for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from latticewall.policy.document import Form, Policy, Statement
from latticewall.policy.lattice import CONNECT, INVOKE
from latticewall.policy.lint.remark import Remark, warning
from latticewall.policy.match import action_test
from latticewall.policy.pattern import Template, Variable, Wild, parse_template, split_arn

_LONGEST = 2048
"""No ARN is longer; longer patterns are not judged."""
_OWNED, _ID = f"arn:*:vpc-lattice:*:{'?' * 12}", "?" * 17
_REQUESTS = (f"{_OWNED}:service/svc-{_ID}/*",)
_CONNECTIONS = (f"{_OWNED}:service/svc-{_ID}", f"{_OWNED}:resourceconfiguration/rcfg-{_ID}")
_BARE_SERVICE = re.compile(r"arn:[^/]*:service/svc-[^/*?]*\Z")
_QUERY = re.compile(r"/[^?]*\?[A-Za-z_][\w-]*=")


def speaks_of(statement: Statement, action: str) -> bool:
    """Whether the statement's Action or NotAction covers the action."""
    listed = action_test(statement.actions if statement.actions is not None else statement.not_actions or ())(action.lower())
    return listed is (statement.actions is not None)


def resource_remarks(policy: Policy, statement: Statement) -> Iterator[Remark]:
    """Patterns that match nothing of what the statement's actions are done to."""
    if not _of_lattice(policy, statement):
        return
    requests, connections = speaks_of(statement, INVOKE), speaks_of(statement, CONNECT)
    forms = (*(_REQUESTS if requests else ()), *(_CONNECTIONS if connections else ()))
    element = "Resource" if statement.resources is not None else "NotResource"
    texts = statement.resources if statement.resources is not None else statement.not_resources or ()
    for index, text in enumerate(texts):
        path = ("Statement", statement.index, element, index)
        if requests and _BARE_SERVICE.match(text):
            sentence = f"{text} is the service itself and matches no request: the resource of a request is the service's ARN, a slash and the path"
            if f"{text}/*" not in texts:
                yield warning("bare-service-arn", path, sentence, f"{text}/* for every path")
        elif _QUERY.search(text):
            yield warning("query-in-resource", path, "the query is not part of a request's resource", "test vpc-lattice-svcs:RequestQueryString/... instead")
        elif forms and len(text) <= _LONGEST and not any(overlap(text, form, policy.variables) for form in forms):
            what = "request" if requests else "connection"
            sentence = f"{text} matches no {what} to a service: {_reason(text)}"
            yield warning("unreachable-resource", path, sentence, "arn:aws:vpc-lattice:REGION:ACCOUNT:service/svc-ID/PATH")


def _of_lattice(policy: Policy, statement: Statement) -> bool:
    """Whether nothing but the service network's data plane is meant."""
    if policy.form is Form.AUTH:
        return True
    return bool(statement.actions) and all(action.lower().startswith("vpc-lattice-svcs:") for action in statement.actions or ())


def _reason(text: str) -> str:
    parts = text.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return "it is compared with the whole ARN"
    if parts[2] != "vpc-lattice":
        return f"its service is {parts[2] or 'empty'}, not vpc-lattice"
    if not parts[4]:
        return "it names no account"
    return "after the account come service/svc-, 17 more characters, and for a request a slash and its path"


def overlap(text: str, form: str, variables: bool) -> bool:
    """Whether some resource matches both patterns; a variable may stand for anything."""
    template = parse_template(text, wildcards=True, variables=variables)
    segments = split_arn(template)
    other = parse_template(form, wildcards=True, variables=False)
    if segments is None:
        return _meet(_symbols(template), _symbols(other))
    return all(_meet(_symbols(own), _symbols(theirs)) for own, theirs in zip(segments, split_arn(other) or (), strict=True))


def _symbols(template: Template) -> list[str | Wild]:
    """Characters and wildcards."""
    symbols: list[str | Wild] = []
    for piece in template:
        symbols += piece if isinstance(piece, str) else [Wild.ANY if isinstance(piece, Variable) else piece]
    return symbols


def _meet(one: list[str | Wild], other: list[str | Wild]) -> bool:
    """Whether a text matches both: a walk over pairs of positions, each visited once."""
    seen: set[tuple[int, int]] = set()
    ahead = [(0, 0)]
    while ahead:
        place = ahead.pop()
        if place in seen:
            continue
        seen.add(place)
        left, right = place
        if left == len(one) and right == len(other):
            return True
        mine = one[left] if left < len(one) else None
        theirs = other[right] if right < len(other) else None
        if mine is Wild.ANY:
            ahead += [(left + 1, right), *([] if theirs is None else [(left, right + 1)])]
        elif theirs is Wild.ANY:
            ahead += [(left, right + 1), *([] if mine is None else [(left + 1, right)])]
        elif mine is not None and theirs is not None and (mine == theirs or Wild.ONE in (mine, theirs)):
            ahead.append((left + 1, right + 1))
    return False
