"""Service-linked roles of the services that a region has ("CreateServiceLinkedRole"): a service's own, which nobody else changes.

VPC Lattice and RAM make theirs themselves. The services work without them; designs that create them, and policies that speak of them, work as on AWS.
"""

from __future__ import annotations

import json

from latticewall.auth.credentials import mint_unique_id
from latticewall.base.faults import Invalid, NotFound
from latticewall.resources.context import GONE, Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import aws_managed, text
from latticewall.services.iam.holders import end_sessions, find
from latticewall.services.iam.policies import SERVICE_ROLES, find_policy, stored

SERVICES = {
    "vpc-lattice.amazonaws.com": ("AWSServiceRoleForVpcLattice", "AWSVpcLatticeServiceRolePolicy"),
    "network-firewall.amazonaws.com": ("AWSServiceRoleForNetworkFirewall", "AWSNetworkFirewallServiceRolePolicy"),
    "ram.amazonaws.com": ("AWSServiceRoleForResourceAccessManager", "AWSResourceAccessManagerServiceRolePolicy"),
    "transitgateway.amazonaws.com": ("AWSServiceRoleForVPCTransitGateway", "AWSVPCTransitGatewayServiceRolePolicy"),
}
"""Service principal -> the role's name and its policy."""
USERS = {
    "vpc-lattice.amazonaws.com": "vpc-lattice:",
    "network-firewall.amazonaws.com": "network-firewall:Firewall",
    "transitgateway.amazonaws.com": "ec2:TransitGatewayAttachment",
}
"""Service principal -> the kind, or "service:" for all kinds, whose resources need the role to stay ("Delete a service-linked role" of each service)."""
DELETION = "iam:ServiceLinkedRoleDeletion"


def service_role_name(service: str) -> str:
    """The name that a service's role has or will have; "" for a service without one here."""
    return SERVICES.get(service, ("", ""))[0]


def create(ctx: Context, params: Document) -> Document:
    service = params["AWSServiceName"]
    if service not in SERVICES:
        raise Invalid(f"Service {service} has no service-linked role in this region's services", code="InvalidInput")
    if params.get("CustomSuffix"):
        raise Invalid(f"Custom suffix is not allowed for {service}", code="InvalidInput")
    name, policy = SERVICES[service]
    if ctx.find("iam:Role", name):
        sentence = f"Service role name {name} has been taken in this account, please try a different suffix."
        raise Invalid(sentence, code="InvalidInput")
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    attached = stored(ctx, find_policy(ctx, f"{aws_managed.ARN}{SERVICE_ROLES}{policy}"))
    document: Document = {
        "Path": f"{SERVICE_ROLES}{service}/", "CreateDate": ctx.now, "MaxSessionDuration": 3600, "_inline": {}, "_attached": [attached.arn],
        "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    }  # fmt: skip
    if params.get("Description"):
        document["Description"] = params["Description"]
    return {"Role": ctx.view(ctx.create("iam:Role", document, id=mint_unique_id(ctx.random, "AROA"), name=name))}


def delete(ctx: Context, params: Document) -> Document:
    """Done at once, or failed at once while resources need the role; the task that AWS answers with can be asked about afterwards."""
    row = find(ctx, "Role", params["RoleName"])
    if not row.document["Path"].startswith(SERVICE_ROLES):
        raise text.bad(f"Role {row.name} is not a service-linked role.", "NoSuchEntity")
    task = f"task{row.document['Path']}{row.name}/{ctx.new_uuid()}"
    if usage := _usage(ctx, row.document["Path"].removeprefix(SERVICE_ROLES).rstrip("/")):
        reason = {"Reason": "One or more resources are using this role.", "RoleUsageList": usage}
        ctx.create(DELETION, {"Status": "FAILED", "Reason": reason}, id=task)
        return {"DeletionTaskId": task}
    end_sessions(ctx, row)
    ctx.remove(row)
    ctx.create(DELETION, {"Status": "SUCCEEDED"}, id=task)
    return {"DeletionTaskId": task}


def _usage(ctx: Context, service: str) -> list[Document]:
    """The account's resources, by region, that need a service's role to stay; of those that others own, only the owners."""
    kinds = [kind for kind in ctx.registry.kinds.values() if USERS.get(service) in (kind.name, f"{kind.service}:") and kind.arn]
    owned = {name for kind in kinds for name in kind.owns}
    rows = [row for kind in kinds if kind.name not in owned for row in ctx.tx.rows(kind.name, account=ctx.caller.account) if row.status not in GONE]
    return [
        {"Region": region, "Resources": [row.arn for row in rows if row.region == region]} for region in sorted({row.region for row in rows})
    ]  # fmt: skip


def deletion_status(ctx: Context, params: Document) -> Document:
    task = ctx.find(DELETION, params["DeletionTaskId"])
    if task is None:
        raise NotFound(f"Deletion task {params['DeletionTaskId']} cannot be found.", code="NoSuchEntity")
    return {name: task.document[name] for name in ("Status", "Reason") if name in task.document}


OPERATIONS: dict[str, Handler] = {
    "CreateServiceLinkedRole": create,
    "DeleteServiceLinkedRole": delete,
    "GetServiceLinkedRoleDeletionStatus": deletion_status,
}
