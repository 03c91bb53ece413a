"""The policy simulator's operations: whom and what to simulate, read from the request and the store.

Pages: "SimulateCustomPolicy", "SimulatePrincipalPolicy", "GetContextKeysForCustomPolicy", "GetContextKeysForPrincipalPolicy". The keys that follow
from the simulated caller (aws:PrincipalArn, aws:username, his tags ...) are known; those of a request (time, address ...) must be given. The
top-level EvalResourceName is "*": ARN templates per action are not kept here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from latticewall.auth.permissions import organization_of
from latticewall.base.faults import Invalid
from latticewall.base.identity_policies import boundary_text, held_policies
from latticewall.base.organization_policies import SERVICE_CONTROL, attached_levels
from latticewall.base.rows import Row
from latticewall.policy.document import Form
from latticewall.policy.request import Principal, principal_context
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import aws_managed, text
from latticewall.services.iam.context_entries import context_of
from latticewall.services.iam.exclusions import Exclusions
from latticewall.services.iam.simulation import EVERYTHING, Layer, Simulation, Source

_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+\Z")
_CALLER = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(user|group|role)/(.+)\Z")
_OWNER = re.compile(r"(?:arn:aws[a-z-]*:iam::)?(\d{12})(?::root)?\Z")
_SCENARIO = ("instance", "image", "security-group")
SCENARIOS: Mapping[str, tuple[str, ...]] = {
    "EC2-VPC-InstanceStore": (*_SCENARIO, "network-interface"),
    "EC2-VPC-InstanceStore-Subnet": (*_SCENARIO, "network-interface", "subnet"),
    "EC2-VPC-EBS": (*_SCENARIO, "network-interface", "volume"),
    "EC2-VPC-EBS-Subnet": (*_SCENARIO, "network-interface", "subnet", "volume"),
}
"""ResourceHandlingOption -> the types of resource that must be given."""


def _refuse(sentence: str) -> Invalid:
    return Invalid(sentence, code="InvalidInput")


# -- policies given as texts --------------------------------------------------------------------------------------------------------------


def simulate_custom(ctx: Context, params: Document) -> Document:
    if params.get("ResourcePolicy") and not params.get("CallerArn"):
        raise _refuse("CallerArn is required when ResourcePolicy is specified")
    caller = _caller(ctx, params["CallerArn"]) if params.get("CallerArn") else None
    levels = params.get("OrderedOrganizationPolicyInputList")
    control = None if levels is None else [
        Layer(_given("ServiceControlPolicyInputList", level.get("ServiceControlPolicyInputList") or ())) for level in levels
    ]  # fmt: skip
    identity = Layer(_given("PolicyInputList", params["PolicyInputList"]))
    return _results(params, caller, identity, _given_boundary(params), control)


def _given(member: str, texts: Sequence[str], form: Form = Form.IDENTITY) -> list[Source]:
    return [Source(f"{member}.{number}", "none", body, form) for number, body in enumerate(texts, 1)]


def _given_boundary(params: Document) -> Layer | None:
    texts = params.get("PermissionsBoundaryPolicyInputList") or ()
    if len(texts) > 1:
        raise _refuse("Only one permissions boundary policy can be specified")
    return Layer(_given("PermissionsBoundaryPolicyInputList", texts)) if texts else None


# -- policies of a user, group or role ------------------------------------------------------------------------------------------------------


def simulate_principal(ctx: Context, params: Document) -> Document:
    row = _source(ctx, params["PolicySourceArn"])
    named = params.get("CallerArn") or ("" if row.kind == "iam:Group" else row.arn)
    if params.get("ResourcePolicy") and not named:
        raise _refuse("CallerArn is required when ResourcePolicy is specified and PolicySourceArn is a group")
    excluded = Exclusions.read(params.get("PolicyExclusionList") or ())
    identity = Layer([*excluded.kept(_held(ctx, row)), *_given("PolicyInputList", params.get("PolicyInputList") or ())])
    boundary = _given_boundary(params) or _own_boundary(ctx, row, excluded)
    caller = _caller(ctx, named) if named else Principal("", row.account, "User")
    return _results(params, caller, identity, boundary, _organization(ctx, row, excluded))


def _source(ctx: Context, arn: str) -> Row:
    """The user, group or role of the caller's account. Raises InvalidInput for what is no such ARN, NoSuchEntity."""
    found = _CALLER.match(arn)
    if found is None:
        raise _refuse(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    noun = found[2].capitalize()
    row = ctx.find(f"iam:{noun}", arn)
    if row is None:
        raise text.missing(noun, found[3].rsplit("/", 1)[-1])
    return row


def _held(ctx: Context, row: Row) -> list[tuple[str, str, Source]]:
    """(ARN or "", name of the holder, policy) of everything that speaks for the identity."""
    found = []
    for held in held_policies(row, ctx.tx.by_arn):
        inline = held.holder.kind.split(":")[1].lower()
        managed = "aws-managed" if held.arn.startswith(aws_managed.ARN) else "user-managed"
        found.append((held.arn, held.holder.name, Source(held.name, managed if held.arn else inline, held.text)))
    return found


def _own_boundary(ctx: Context, row: Row, excluded: Exclusions) -> Layer | None:
    body = boundary_text(row, ctx.tx.by_arn)
    if not body:
        return None
    arn = row.document["PermissionsBoundary"]["PermissionsBoundaryArn"]
    type_ = "aws-managed" if arn.startswith(aws_managed.ARN) else "user-managed"
    return None if excluded.has_boundary(arn) else Layer([Source(arn.rsplit("/", 1)[-1], type_, body)])


def _organization(ctx: Context, row: Row, excluded: Exclusions) -> list[Layer] | None:
    """The service control policies over the identity's account, None when it is in no organization."""
    member = ctx.tx.get("organizations:Account", row.account)
    if member is None or not member.parent:
        return None
    levels = attached_levels(ctx.tx.get, row.account, SERVICE_CONTROL, row.arn)
    return [Layer([Source(policy.arn, "none", policy.text) for policy in level]) for level in excluded.kept_levels(levels)]


# -- both -----------------------------------------------------------------------------------------------------------------------------------


def _results(params: Document, caller: Principal | None, identity: Layer, boundary: Layer | None, control: list[Layer] | None) -> Document:
    for action in params["ActionNames"]:
        if not _ACTION.match(action):
            raise _refuse(f"Invalid action name {action}: it must be a service and an operation, such as iam:CreateUser, without wildcards")
    resources = list(dict.fromkeys(params.get("ResourceArns") or (EVERYTHING,)))
    _check_resources(params, resources)
    known = principal_context(caller) if caller and caller.arn else {}
    if caller and caller.role_arn:
        known.pop("aws:userid", None)  # it has the session's name in it
    given = context_of(params.get("ContextEntries") or ())
    chosen = {key.lower() for key in given}
    simulation = Simulation(
        caller or Principal("", "", "User"), identity, boundary, _resource_policy(params), control, _owner(params),
        {**{key: value for key, value in known.items() if key.lower() not in chosen}, **given},
    )  # fmt: skip
    return {"EvaluationResults": [simulation.result(action, resources) for action in dict.fromkeys(params["ActionNames"])]}


def _check_resources(params: Document, resources: Iterable[str]) -> None:
    scenario = params.get("ResourceHandlingOption")
    if scenario and scenario not in SCENARIOS:
        raise _refuse(f"Invalid ResourceHandlingOption {scenario}: it must be one of {', '.join(SCENARIOS)}")
    types = {resource.split(":", 5)[5].split("/")[0] for resource in resources if resource.startswith("arn:aws:ec2:") and resource.count(":") >= 5}
    if scenario and (absent := [type_ for type_ in SCENARIOS[scenario] if type_ not in types]):
        raise _refuse(f"The scenario {scenario} needs resources of the types {', '.join(absent)} too")
    for resource in resources:
        if resource != EVERYTHING and (not resource.startswith("arn:") or resource.count(":") < 5):
            raise _refuse(f"Invalid resource ARN {resource}")
        if params.get("ResourcePolicy") and re.match(r"arn:aws[a-z-]*:iam::\d*:role/", resource):
            raise _refuse("Simulation of resource-based policies isn't supported for IAM roles")


def _resource_policy(params: Document) -> Layer | None:
    body = params.get("ResourcePolicy")
    return Layer([Source("ResourcePolicy", "resource", body, Form.RESOURCE)]) if body else None


def _owner(params: Document) -> str:
    given = params.get("ResourceOwner")
    found = _OWNER.match(given) if given else None
    if given and found is None:
        raise _refuse(f"Invalid ResourceOwner {given}: it must be an account, such as arn:aws:iam::112233445566:root")
    return found[1] if found else ""


def _caller(ctx: Context, arn: str) -> Principal:
    """The user, group or role as policies would see him; one that exists with his id and tags, one of an organization with its keys."""
    found = _CALLER.match(arn)
    if found is None:
        raise _refuse(f"Invalid CallerArn {arn}: it must be the ARN of a user, group or role")
    account, type_, name = found.groups()
    if type_ == "group":
        return Principal("", account, "User")
    row = ctx.tx.by_arn(arn)
    tags, userid = (row.tags, row.id) if row else ({}, "")
    org_id, org_paths = organization_of(ctx.tx, account)
    principal = Principal(arn, account, "User", userid=userid, username=name.rsplit("/", 1)[-1], tags=tags, org_id=org_id, org_paths=org_paths)
    return replace(principal, type="AssumedRole", role_arn=arn, username="") if type_ == "role" else principal


# -- which keys the policies ask for --------------------------------------------------------------------------------------------------------


def keys_for_custom(_: Context, params: Document) -> Document:
    return {"ContextKeyNames": Layer(_given("PolicyInputList", params["PolicyInputList"])).context_keys()}


def keys_for_principal(ctx: Context, params: Document) -> Document:
    row = _source(ctx, params["PolicySourceArn"])
    own = [source for _, _, source in _held(ctx, row)]
    return {"ContextKeyNames": Layer([*own, *_given("PolicyInputList", params.get("PolicyInputList") or ())]).context_keys()}


OPERATIONS: dict[str, Handler] = {
    "SimulateCustomPolicy": simulate_custom,
    "SimulatePrincipalPolicy": simulate_principal,
    "GetContextKeysForCustomPolicy": keys_for_custom,
    "GetContextKeysForPrincipalPolicy": keys_for_principal,
}
