"""Every operation that the region serves asks the policies something, about types that its action knows, and is refused to those who may nothing."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import Any

import pytest
from tests.region import ACCOUNT, CATALOG, NAME, Region

from latticewall.apimodel.catalog import Operation
from latticewall.apimodel.shapes import Shape
from latticewall.auth.callers import caller_of, root
from latticewall.base.faults import Denied
from latticewall.control_plane.access import authorise
from latticewall.control_plane.access.authorise import ALWAYS_ALLOWED, DECIDED_BY_TRUST
from latticewall.control_plane.access.questions import SAME_PERMISSION, questions
from latticewall.control_plane.access.resource_types import admits, type_of_arn, types_of
from latticewall.control_plane.access.s3 import VERSIONED
from latticewall.control_plane.services import registry

from .organized import document

SERVED = {service.name: [CATALOG.operation(f"{service.name}:{name}") for name in service.operations] for service in registry().services.values()}
DEEPEST = 6
UNKNOWN = frozenset({"rolesanywhere:CreateSession", *SAME_PERMISSION})
"""Operations that are no action of their own."""


def filled(shape: Shape | None, text: str, depth: int = 0) -> Any:
    """A value with every member present, texts all alike."""
    if shape is None or depth > DEEPEST:
        return {}
    if shape.type == "structure":
        named = {name: filled(member, text, depth + 1) for name, member in shape.members.items() if name.lower() != "tags"}
        return {**named, **({"Path": "/x/"} if "Path" in named else {})}
    if shape.type == "list":
        return [filled(shape.member, text, depth + 1)]
    if shape.type == "map":
        return {text: filled(shape.value, text, depth + 1)}
    if shape.enum:
        return shape.enum[0]
    return {"boolean": True, "integer": 1, "long": 1, "float": 1.0, "double": 1.0, "blob": b""}.get(shape.type, text)


def asked(region: Region, operation: Operation, params: dict[str, Any]) -> list[tuple[str, str]]:
    with region.store.write() as tx:
        context = region.app.context(tx, root(ACCOUNT, NAME), operation.service.name, operation.name, "request")
        return [(one.action, one.resource.arn) for one in questions(context, operation, params)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Region:
    return Region(tmp_path_factory.mktemp("region"))


@pytest.mark.parametrize("service", SERVED)
def test_an_operation_asks_first_for_its_own_action(shared: Region, service: str) -> None:
    for operation in SERVED[service]:
        asks_first_for_its_own_action(shared, operation)


def asks_first_for_its_own_action(shared: Region, operation: Operation) -> None:
    own = SAME_PERMISSION.get(operation.qualified_name, f"{operation.service.action_prefix}:{operation.name}")
    params: dict[str, Any]
    for text in ("x", "arn:aws:nothing:::x", f"arn:aws:{operation.service.action_prefix}:{NAME}:{ACCOUNT}:x/y", "vpc-0", "*", "{}", "é\x00\n"):
        for params in ({}, filled(operation.input, text)):
            (action, arn), *_ = asked(shared, operation, params)
            assert action == (VERSIONED.get(own, own) if "VersionId" in repr(params) else own)
            assert arn, own


@pytest.mark.parametrize("service", SERVED)
def test_types_that_are_asked_about_are_the_actions_own(shared: Region, service: str) -> None:
    for operation in SERVED[service]:
        if operation.qualified_name not in UNKNOWN:
            asks_about_its_own_types(shared, operation)


def asks_about_its_own_types(shared: Region, operation: Operation) -> None:
    types = types_of(operation)
    assert types is not None, operation.qualified_name
    required = operation.input.required if operation.input else ()
    params: dict[str, Any]
    for params in ({}, filled(operation.input, "x"))[bool(required) :]:
        about = {arn for action, arn in asked(shared, operation, params) if action.endswith(f":{operation.name}")}
        assert [arn for arn in about if arn != "*" and not admits(types, type_of_arn(arn))] == [], operation.qualified_name
        assert not types <= frozenset() or about == {"*"}, operation.qualified_name


def test_who_may_nothing_may_call_nothing(shared: Region) -> None:
    shared.as_user("iam", document({"Effect": "Deny", "Action": "*", "Resource": "*"}), "nobody")
    shared.iam.delete_user_policy(UserName="nobody", PolicyName="only")
    with shared.store.read() as snapshot:
        caller = caller_of(snapshot, shared.keys["nobody"], NAME)
    assert caller is not None
    passed = []
    params: dict[str, Any]
    with shared.store.write() as tx:
        for operation in chain.from_iterable(SERVED.values()):
            context = shared.app.context(tx, caller, operation.service.name, operation.name, "request")
            for params in ({}, filled(operation.input, "x")):
                with suppress(Denied):
                    authorise(context, operation, params)
                    passed.append(operation.qualified_name)
    assert set(passed) <= {*ALWAYS_ALLOWED, *DECIDED_BY_TRUST}
