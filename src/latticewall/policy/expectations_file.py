"""Expectations as written, in YAML or JSON: the format of docs/features/policy-tests.md, with refusals that name line and column.

Every scalar is taken as the text that stands there: a header's value of `010` or `yes` is that text. Anchors and aliases are refused, so that a small
file is a small document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import quote

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form, Malformed, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.expectations import Caller, Expectation, Expectations, Situation, Wanted
from latticewall.policy.lattice import Layer, Route
from latticewall.policy.request import Principal, ResourceOwner

Read = Callable[[str], str]
"""A file's text by the name the expectations give it. Raises OSError."""

MOST_CHARACTERS = 262_144
MOST_TESTS = 2_000
MOST_LEVELS = 24
NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of a request that does not say one, so that the same file always gives the same answer."""
SERVICE = "arn:aws:vpc-lattice:us-east-1:111122223333:service/svc-00000000000000000"
NETWORK = "arn:aws:vpc-lattice:us-east-1:111122223333:servicenetwork/sn-00000000000000000"
EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where it is there: the same answers, eight times as fast."""

_WHO = (
    "role", "user", "account", "session", "organization", "organization-paths", "tags", "keys", "policies", "boundary", "session-policies", "service-control",
)  # fmt: skip
_REQUEST = (
    "method", "path", "query", "headers", "port", "service", "network", "source-vpc", "source-vpc-owner", "source-ip", "service-tags", "now", "keys",
)  # fmt: skip
_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(role|user)/((?:[\x21-\x7e]+/)?)([\w+=,.@-]{1,128})\Z")
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_INTEGER = re.compile(r"\d{1,9}\Z")


class Misread(Exception):
    """The text is not a file of expectations. line, column: from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line} column {column}: {message}")
        self.message, self.line, self.column = message, line, column


def read_expectations(text: str, read: Read | None = None) -> Expectations:
    """Read a file. read: for policies that stand in files of their own; None refuses those. Raises Misread."""
    return _Reader(read).file(_compose(text))


def inlined(text: str, read: Read) -> str:
    """The same expectations as JSON with every file's policy in its place, fit to be kept elsewhere. Raises Misread."""
    root = _compose(text)
    _Reader(read).file(root)
    return json.dumps(_plain(root), ensure_ascii=False, indent=1)


def _compose(text: str) -> MappingNode:
    if len(text) > MOST_CHARACTERS:
        raise Misread(f"the file is larger than {MOST_CHARACTERS} characters")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Misread("the text holds half a surrogate pair")
    spaced = text.replace("\t", " ") if text.lstrip()[:1] == "{" else text
    try:
        _check_events(spaced)
        root = yaml.compose(spaced, _LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Misread(error.problem or "not YAML", mark.line + 1 if mark else 1, mark.column + 1 if mark else 1) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise Misread(f"not YAML: {str(error).splitlines()[0] if str(error) else 'nested too deeply'}") from None
    if not isinstance(root, MappingNode):
        raise Misread("the file must be a mapping with `policies` and `tests`")
    return root


def _check_events(text: str) -> None:
    """Refuse what would make much of little: references, and depths no expectation needs. Stops at the first of them."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Misread("anchors and aliases are not read here", *place)
        if depth > MOST_LEVELS:
            raise Misread(f"nested deeper than {MOST_LEVELS} levels", *place)


def _refuse(node: Node, message: str) -> NoReturn:
    raise Misread(message, node.start_mark.line + 1, node.start_mark.column + 1)


def _members(node: Node, what: str, known: tuple[str, ...] | None = None) -> dict[str, Node]:
    """A mapping's members; unknown and repeated ones are refused."""
    if not isinstance(node, MappingNode):
        _refuse(node, f"{what} must be a mapping")
    found: dict[str, Node] = {}
    for key, value in node.value:
        name = _text(key, f"a name in {what}")
        if name in found:
            _refuse(key, f"{what} has `{name}` twice")
        if known is not None and name not in known:
            _refuse(key, f"{what} has no member `{name}`; it may have {', '.join(known)}")
        found[name] = value
    return found


def _text(node: Node, what: str) -> str:
    if not isinstance(node, ScalarNode) or node.tag == "tag:yaml.org,2002:null":
        _refuse(node, f"{what} must be a text")
    return str(node.value)


def _list(node: Node) -> list[Node]:
    """A sequence, or one item in place of it."""
    return list(node.value) if isinstance(node, SequenceNode) else [node]


def _json(node: Node) -> Any:
    """A node as JSON has it: only plain scalars that YAML takes for numbers and booleans are some."""
    if isinstance(node, MappingNode):
        return {name: _json(value) for name, value in _members(node, "the policy").items()}
    if isinstance(node, SequenceNode):
        return [_json(item) for item in node.value]
    if node.tag == "tag:yaml.org,2002:bool":
        return str(node.value).lower() in ("true", "yes", "on")
    if node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
        try:
            return json.loads(str(node.value))
        except ValueError:
            return str(node.value)
    return _text(node, "a value of the policy")


def _is_file(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not str(node.value).lstrip().startswith("{")


def _plain(node: Node) -> Any:
    """A node as JSON of texts."""
    if isinstance(node, MappingNode):
        return {name: _plain(value) for name, value in _members(node, "a mapping").items()}
    return [_plain(item) for item in node.value] if isinstance(node, SequenceNode) else str(node.value)


class _Reader:
    """Reads one file. The text of a policy's file takes the place of its name in the nodes."""

    def __init__(self, read: Read | None) -> None:
        self._read = read
        self._callers: dict[str, Caller] = {}

    def file(self, root: MappingNode) -> Expectations:
        members = _members(root, "the file", ("policies", "callers", "request", "tests"))
        policies = _members(members["policies"], "`policies`", ("network", "service")) if "policies" in members else {}
        found = {name: PolicySet(self._policies(node, Form.AUTH, f"{name} policy")) for name, node in policies.items()}
        for name, node in (_members(members["callers"], "`callers`") if "callers" in members else {}).items():
            self._callers[name] = self._caller(node)
        defaults = _members(members["request"], "`request`", _REQUEST) if "request" in members else {}
        if "tests" not in members or not isinstance(members["tests"], SequenceNode) or not members["tests"].value:
            _refuse(members.get("tests", root), "`tests` must be a list of expectations, and not an empty one")
        nodes = members["tests"].value
        if len(nodes) > MOST_TESTS:
            _refuse(nodes[MOST_TESTS], f"more than {MOST_TESTS} tests")
        return Expectations(tuple(self._test(node, defaults) for node in nodes), found.get("network"), found.get("service"))

    def _test(self, node: Node, defaults: Mapping[str, Node]) -> Expectation:
        members = _members(node, "a test", ("name", "who", "request", "expect"))
        for needed in ("who", "request", "expect"):
            if needed not in members:
                _refuse(node, f"the test has no `{needed}`")
        situation = self._situation(members["request"], defaults)
        who = members["who"]
        caller = self._caller(who)
        name = _text(members["name"], "`name`") if "name" in members else f"{caller.principal.display}: {situation.method} {situation.target}"
        return Expectation(name, node.start_mark.line + 1, caller, situation, _wanted(members["expect"]))

    # -- policies -----------------------------------------------------------------------------------------------------------------------

    def _policies(self, node: Node, form: Form, name: str) -> list[Any]:
        nodes = _list(node)
        return [self._policy(item, form, name if len(nodes) == 1 else f"{name} {at}") for at, item in enumerate(nodes, 1)]

    def _policy(self, node: Node, form: Form, name: str) -> Any:
        file = f"{node.value}: " if isinstance(node, ScalarNode) and _is_file(node) else ""
        try:
            return parse_policy(self._policy_text(node), form, name)
        except Malformed as fault:
            # of a policy given as a mapping there is no text that its reader has seen
            message = fault.message if isinstance(node, ScalarNode) else fault.message.replace(f"line {fault.line} column {fault.column}: ", "")
            _refuse(node, f"{name}: {file}{message}")

    def _policy_text(self, node: Node) -> str:
        """A policy given in place, or the text of the file that is named."""
        if not isinstance(node, ScalarNode):
            return json.dumps(_json(node))
        text = _text(node, "a policy")
        if not _is_file(node):
            return text
        if self._read is None:
            _refuse(node, f"`{text}` is no policy, and files cannot be read here: give the policy itself")
        try:
            node.value = self._read(text)
        except OSError as error:
            _refuse(node, f"{text} cannot be read: {error.strerror or error}")
        except UnicodeDecodeError:
            _refuse(node, f"{text} is not UTF-8 text")
        return str(node.value)

    # -- callers ------------------------------------------------------------------------------------------------------------------------

    def _caller(self, node: Node) -> Caller:
        if isinstance(node, ScalarNode):
            name = _text(node, "`who`")
            if name in self._callers:
                return self._callers[name]
            if name == "anonymous":
                return Caller(Principal.anonymous(), PrincipalPolicies())
            if _ARN.match(name):
                return Caller(_principal(node, name, {}), self._own({}))
            _refuse(node, f"`{name}` is none of `callers`, not `anonymous`, and not the ARN of a role or user")
        members = _members(node, "`who`", _WHO)
        named = [member for member in ("role", "user", "account") if member in members]
        if len(named) != 1:
            _refuse(node, "`who` needs one of role, user, account (or is `anonymous`)")
        return Caller(_principal(members[named[0]], _text(members[named[0]], f"`{named[0]}`"), members), self._own(members))

    def _own(self, members: Mapping[str, Node]) -> PrincipalPolicies:
        def of(member: str) -> PolicySet | None:
            return PolicySet(self._policies(members[member], Form.IDENTITY, member)) if member in members else None

        levels = _list(members["service-control"]) if "service-control" in members else []
        return PrincipalPolicies(
            identity=of("policies") or PolicySet([parse_policy(EVERYTHING, Form.IDENTITY, "everything")]),
            boundary=of("boundary"),
            session=of("session-policies"),
            service_control=tuple(PolicySet(self._policies(level, Form.SERVICE_CONTROL, "service control policy")) for level in levels),
        )

    # -- requests -----------------------------------------------------------------------------------------------------------------------

    def _situation(self, node: Node, defaults: Mapping[str, Node]) -> Situation:
        if isinstance(node, ScalarNode):
            method, _, path = _text(node, "`request`").partition(" ")
            own: dict[str, Node] = {}
        else:
            own = _members(node, "`request`", _REQUEST)
            method, path = "", ""
        members = {**defaults, **own}

        def of(member: str, otherwise: str) -> str:
            return _text(members[member], f"`{member}`") if member in members else otherwise

        method, path = method or of("method", "GET"), path.strip() or of("path", "/")
        if not _METHOD.match(method) or not re.match(r"/[\x21-\x7e]*\Z", path):
            _refuse(node, f"`{method} {path}` is not a method and a path as on the wire")
        service = of("service", SERVICE)
        port = of("port", "80")
        if service.count(":") < 5 or not _INTEGER.match(port):
            _refuse(members.get("service", node), "`service` must be the ARN of a service, `port` a number")
        route = Route(of("network", NETWORK), service, int(port), of("source-vpc", ""), of("source-vpc-owner", ""))
        tags = dict(_pairs(members["service-tags"], "`service-tags`")) if "service-tags" in members else {}
        return Situation(
            method=method, target=_target(path, members.get("query")), headers=_pairs(members["headers"], "`headers`") if "headers" in members else (),
            route=route, now=_moment(members["now"]) if "now" in members else NOW, source_ip=of("source-ip", ""),
            owner=ResourceOwner(service.split(":")[4], tags=tags), keys=_keys(members["keys"]) if "keys" in members else (),
        )  # fmt: skip


def _principal(node: Node, written: str, members: Mapping[str, Node]) -> Principal:
    """A role's session, a user, or an account's root."""
    session = _text(members["session"], "`session`") if "session" in members else "test"
    common: dict[str, Any] = {
        "org_id": _text(members["organization"], "`organization`") if "organization" in members else "",
        "org_paths": tuple(_text(item, "a path") for item in _list(members["organization-paths"])) if "organization-paths" in members else (),
        "tags": dict(_pairs(members["tags"], "`tags`")) if "tags" in members else {},
        "session_keys": {name: value for name, value in _keys(members["keys"]) if isinstance(value, str)} if "keys" in members else {},
    }
    if "account" in members:
        if not re.fullmatch(r"\d{12}", written):
            _refuse(node, "`account` must have 12 digits")
        return Principal(f"arn:aws:iam::{written}:root", written, "Account", userid=written, **common)
    found = _ARN.match(written)
    if found is None or (found[2] not in members and members):
        _refuse(node, f"`{written}` is not the ARN of a {next((name for name in ('role', 'user') if name in members), 'role or user')}")
    account, kind, _, name = found.groups()
    if kind == "user":
        return Principal(written, account, "User", userid="AIDATESTTESTTESTTESTT", username=name, **common)
    arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
    return Principal(arn, account, "AssumedRole", role_arn=written, userid=f"AROATESTTESTTESTTESTT:{session}", **common)


def _wanted(node: Node) -> Wanted:
    """`allow`, `deny`, or a mapping that also says by whom."""
    members = _members(node, "`expect`", ("allow", "deny", "statement", "explicit")) if isinstance(node, MappingNode) else {}
    word = _text(node, "`expect`") if not members else next((name for name in ("allow", "deny") if name in members), "")
    if word not in ("allow", "deny") or {"allow", "deny"} <= set(members):
        _refuse(node, "`expect` is allow, deny, or a mapping with one of the two")
    layer = _text(members["deny"], "`deny`") if "deny" in members else ""
    if layer in ("any", "true"):
        layer = ""
    if layer not in ("", Layer.NETWORK, Layer.SERVICE, Layer.IDENTITY):
        _refuse(members["deny"], f"`deny` names the layer that denies, one of any, {Layer.NETWORK}, {Layer.SERVICE}, {Layer.IDENTITY}")
    explicit = _text(members["explicit"], "`explicit`") if "explicit" in members else ""
    if explicit not in ("", "true", "false"):
        _refuse(members["explicit"], "`explicit` is true or false")
    statement = _text(members["statement"], "`statement`") if "statement" in members else ""
    return Wanted(word == "allow", layer, {"true": True, "false": False}.get(explicit), statement)


def _pairs(node: Node, what: str) -> tuple[tuple[str, str], ...]:
    """Names and values; a list of values repeats the name."""
    return tuple((name, _text(item, f"{what} {name}")) for name, value in _members(node, what).items() for item in _list(value))


def _keys(node: Node) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    """Condition keys: a list makes a multi-valued one."""
    found: list[tuple[str, str | tuple[str, ...]]] = []
    for name, value in _members(node, "`keys`").items():
        values = tuple(_text(item, name) for item in _list(value))
        found.append((name, values if isinstance(value, SequenceNode) else values[0]))
    return tuple(found)


def _target(path: str, query: Node | None) -> str:
    if query is None:
        return path
    joined = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in _pairs(query, "`query`"))
    return f"{path}{'&' if '?' in path else '?'}{joined}"


def _moment(node: Node) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(node, "`now`"))
    except ValueError:
        _refuse(node, "`now` must be a time such as 2026-01-02T03:04:05Z")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
