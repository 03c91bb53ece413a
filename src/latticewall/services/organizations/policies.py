"""Service and resource control policies: written, enabled, attached.

Pages: "SCP syntax", "RCP syntax", "AttachPolicy", "DetachPolicy", "EnablePolicyType", "Quotas for AWS Organizations".
"""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.base.faults import Fault, Unsupported
from latticewall.base.organization_policies import MANAGED, RESOURCE_CONTROL, RESOURCE_FULL_ACCESS, SERVICE_CONTROL, ManagedPolicy, enabled
from latticewall.base.rows import Row
from latticewall.policy.combine import RESOURCE_CONTROL_SERVICES
from latticewall.policy.document import Form, parse_policy
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.organizations.find import account, accounts_of, managed, organization_of_caller, root_of, show, target, units_of
from latticewall.services.organizations.text import malformed, refusal

LARGEST = 5120
"""Characters of a policy's content, white space included."""
ATTACHED = 5
"""Policies of one type on one target."""
POLICIES = {SERVICE_CONTROL: 10_000, RESOURCE_CONTROL: 1_000}
FORMS = {SERVICE_CONTROL: Form.SERVICE_CONTROL, RESOURCE_CONTROL: Form.RESOURCE_CONTROL}
TARGET_TYPES = {"organizations:Root": "ROOT", "organizations:OrganizationalUnit": "ORGANIZATIONAL_UNIT", "organizations:Account": "ACCOUNT"}


# -- policies ---------------------------------------------------------------------------------------------------------------------------------------------


def create_policy(ctx: Context, params: Document) -> Document:
    organization, type_ = managed(ctx), _supported(params["Type"])
    if organization.document["FeatureSet"] != "ALL":
        raise refusal("PolicyTypeNotAvailableForOrganizationException")
    _check(type_, params["Content"])
    stored = _stored(ctx, organization, type_)
    if len(stored) >= POLICIES[type_]:
        raise refusal("ConstraintViolationException", "POLICY_NUMBER_LIMIT_EXCEEDED")
    _check_name(stored, type_, params["Name"])
    document: Document = {"Type": type_, "Description": params["Description"], "Content": params["Content"]}
    row = ctx.create(
        "organizations:Policy", document, id=ctx.new_id("p-", 8), name=params["Name"], parent=organization.id, tags=tags.read(params.get("Tags"))
    )  # fmt: skip
    return {"Policy": _whole(row)}


def _supported(type_: str) -> str:
    if type_ not in POLICIES:
        raise Unsupported(f"latticewall does not support policies of the type {type_} yet")
    return type_


def _stored(ctx: Context, organization: Row, type_: str) -> list[Row]:
    return [row for row in ctx.tx.rows("organizations:Policy", parent=organization.id) if row.document["Type"] == type_]


def _check_name(stored: Iterable[Row], type_: str, name: str) -> None:
    taken = {*(row.name for row in stored), *(policy.name for policy in MANAGED.values() if policy.type == type_)}
    if name in taken:
        raise refusal("DuplicatePolicyException")


def _check(type_: str, content: str) -> None:
    if len(content.encode()) > LARGEST:
        raise refusal("ConstraintViolationException", "POLICY_CONTENT_LIMIT_EXCEEDED")
    try:
        policy = parse_policy(content, FORMS[type_])
    except Fault as fault:
        raise malformed(fault.message) from None
    if type_ != RESOURCE_CONTROL:
        return
    for statement in policy.statements:
        beyond = [action for action in statement.actions or () if action.partition(":")[0].lower() not in RESOURCE_CONTROL_SERVICES]
        if beyond:
            raise malformed(f"Statement[{statement.index}].Action: resource control policies do not reach {beyond[0]}.")


def find_policy(ctx: Context, organization: Row, id_: str) -> Row | ManagedPolicy:
    found: Row | ManagedPolicy | None = MANAGED.get(id_) or ctx.tx.get("organizations:Policy", id_, organization.account)
    if found is None:
        raise refusal("PolicyNotFoundException")
    return found


def _own(ctx: Context, organization: Row, id_: str) -> Row:
    """A policy that may be changed."""
    found = find_policy(ctx, organization, id_)
    if isinstance(found, ManagedPolicy):
        raise refusal("InvalidInputException", "IMMUTABLE_POLICY")
    return found


def _type(policy: Row | ManagedPolicy) -> str:
    return policy.type if isinstance(policy, ManagedPolicy) else str(policy.document["Type"])


def _summary(policy: Row | ManagedPolicy) -> Document:
    aws = isinstance(policy, ManagedPolicy)
    description = policy.description if isinstance(policy, ManagedPolicy) else policy.document["Description"]
    return {"Id": policy.id, "Arn": policy.arn, "Name": policy.name, "Description": description, "Type": _type(policy), "AwsManaged": aws}


def _whole(policy: Row | ManagedPolicy) -> Document:
    content = policy.text if isinstance(policy, ManagedPolicy) else policy.document["Content"]
    return {"PolicySummary": _summary(policy), "Content": content}


def describe_policy(ctx: Context, params: Document) -> Document:
    return {"Policy": _whole(find_policy(ctx, managed(ctx), params["PolicyId"]))}


def update_policy(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    row = _own(ctx, organization, params["PolicyId"])
    type_ = row.document["Type"]
    if (content := params.get("Content")) is not None:
        _check(type_, content)
    if params.get("Name") and params["Name"] != row.name:
        _check_name(_stored(ctx, organization, type_), type_, params["Name"])
        row.name = params["Name"]
    changed = {name: params[name] for name in ("Description", "Content") if params.get(name) is not None}
    return {"Policy": _whole(ctx.change(row, changed))}


def delete_policy(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    row = _own(ctx, organization, params["PolicyId"])
    if any(row.id in holder.document["_policies"] for holder in _targets(ctx, organization)):
        raise refusal("PolicyInUseException")
    ctx.tx.delete(row)
    return {}


def list_policies(ctx: Context, params: Document) -> Document:
    organization, type_ = managed(ctx), params["Filter"]
    found: list[Row | ManagedPolicy] = [policy for policy in MANAGED.values() if policy.type == type_]
    return {"Policies": [_summary(policy) for policy in (*found, *_stored(ctx, organization, type_))]}


# -- policy types -----------------------------------------------------------------------------------------------------------------------------------------


def _root(ctx: Context, organization: Row, id_: str) -> Row:
    root = root_of(ctx, organization)
    if root.id != id_:
        raise refusal("RootNotFoundException")
    return root


def enable_policy_type(ctx: Context, params: Document) -> Document:
    """From now on policies of the type limit; AWS's own, which allows everything, is attached everywhere."""
    organization, type_ = managed(ctx), _supported(params["PolicyType"])
    root = _root(ctx, organization, params["RootId"])
    if organization.document["FeatureSet"] != "ALL":
        raise refusal("PolicyTypeNotAvailableForOrganizationException")
    if enabled(root, type_):
        raise refusal("PolicyTypeAlreadyEnabledException")
    aws = [policy.id for policy in MANAGED.values() if policy.type == type_]
    for holder in _targets(ctx, organization):
        ctx.change(holder, {"_policies": [*holder.document["_policies"], *aws]})
    root = ctx.change(_root(ctx, organization, root.id), {"PolicyTypes": [*root.document["PolicyTypes"], {"Type": type_, "Status": "ENABLED"}]})
    return {"Root": show(root)}


def disable_policy_type(ctx: Context, params: Document) -> Document:
    """All attachments of the type are lost, as AWS warns."""
    organization, type_ = managed(ctx), params["PolicyType"]
    root = _root(ctx, organization, params["RootId"])
    if not enabled(root, type_):
        raise refusal("PolicyTypeNotEnabledException")
    for holder in _targets(ctx, organization):
        kept = [id_ for id_ in holder.document["_policies"] if _type(find_policy(ctx, organization, id_)) != type_]
        ctx.change(holder, {"_policies": kept})
    kept_types = [entry for entry in root.document["PolicyTypes"] if entry["Type"] != type_]
    return {"Root": show(ctx.change(_root(ctx, organization, root.id), {"PolicyTypes": kept_types}))}


# -- attachments ------------------------------------------------------------------------------------------------------------------------------------------


def _targets(ctx: Context, organization: Row) -> list[Row]:
    return [root_of(ctx, organization), *units_of(ctx, organization), *accounts_of(ctx, organization)]


def _of_type(ctx: Context, organization: Row, holder: Row, type_: str) -> list[Row | ManagedPolicy]:
    policies = (find_policy(ctx, organization, id_) for id_ in holder.document["_policies"])
    return [policy for policy in policies if _type(policy) == type_]


def attach_policy(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    policy = find_policy(ctx, organization, params["PolicyId"])
    holder = target(ctx, organization, params["TargetId"])
    if not enabled(root_of(ctx, organization), _type(policy)):
        raise refusal("PolicyTypeNotEnabledException")
    if policy.id in holder.document["_policies"]:
        raise refusal("DuplicatePolicyAttachmentException")
    if len(_of_type(ctx, organization, holder, _type(policy))) >= ATTACHED:
        raise refusal("ConstraintViolationException", "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
    ctx.change(holder, {"_policies": [*holder.document["_policies"], policy.id]})
    return {}


def detach_policy(ctx: Context, params: Document) -> Document:
    """Every target keeps at least one service control policy, and always RCPFullAWSAccess."""
    organization = managed(ctx)
    policy = find_policy(ctx, organization, params["PolicyId"])
    holder = target(ctx, organization, params["TargetId"])
    if policy.id == RESOURCE_FULL_ACCESS.id:
        raise refusal("InvalidInputException", "NON_DETACHABLE_POLICY")
    if policy.id not in holder.document["_policies"]:
        raise refusal("PolicyNotAttachedException")
    if len(_of_type(ctx, organization, holder, _type(policy))) == 1:
        raise refusal("ConstraintViolationException", "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
    ctx.change(holder, {"_policies": [id_ for id_ in holder.document["_policies"] if id_ != policy.id]})
    return {}


def list_policies_for_target(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    holder = target(ctx, organization, params["TargetId"])
    return {"Policies": [_summary(policy) for policy in _of_type(ctx, organization, holder, params["Filter"])]}


def list_targets_for_policy(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    policy = find_policy(ctx, organization, params["PolicyId"])
    holders = [holder for holder in _targets(ctx, organization) if policy.id in holder.document["_policies"]]
    shown = [{"TargetId": row.id, "Arn": row.arn, "Name": row.name, "Type": TARGET_TYPES[row.kind]} for row in holders]
    return {"Targets": shown}


def describe_effective_policy(ctx: Context, params: Document) -> Document:
    """Control policies have no effective form (the model does not know their types here), and the types that have one cannot be enabled."""
    organization_of_caller(ctx)
    if params.get("TargetId"):
        account(ctx, managed(ctx), params["TargetId"], "TargetNotFoundException")
    raise refusal("EffectivePolicyNotFoundException")


OPERATIONS: dict[str, Handler] = {
    "CreatePolicy": create_policy,
    "DescribePolicy": describe_policy,
    "UpdatePolicy": update_policy,
    "DeletePolicy": delete_policy,
    "ListPolicies": list_policies,
    "EnablePolicyType": enable_policy_type,
    "DisablePolicyType": disable_policy_type,
    "AttachPolicy": attach_policy,
    "DetachPolicy": detach_policy,
    "ListPoliciesForTarget": list_policies_for_target,
    "ListTargetsForPolicy": list_targets_for_policy,
    "DescribeEffectivePolicy": describe_effective_policy,
}
