"""VPC Lattice's service-linked role, made with the first of an account's resources ("Using service-linked roles for Amazon VPC Lattice")."""

from __future__ import annotations

from functools import wraps

from latticewall.resources.context import Context
from latticewall.resources.kind import Answer, Document, Handler

PRINCIPAL = "vpc-lattice.amazonaws.com"
NAME = "AWSServiceRoleForVpcLattice"
ARN = f"arn:aws:iam::{{account}}:role/aws-service-role/{PRINCIPAL}/{NAME}"


def makes_role(ctx: Context, operation: str) -> bool:
    """Whether the operation would make the caller's account its role. One of the account's own that has the name stands in its way: nothing is made then."""
    return operation.startswith(("Create", "Start")) and ctx.find("iam:Role", NAME) is None


def with_role(operation: str, handler: Handler) -> Handler:
    """The handler of an operation, which sees to the role where it creates something."""
    if not operation.startswith(("Create", "Start")):
        return handler

    @wraps(handler)
    def guarded(ctx: Context, params: Document) -> Answer:
        answer = handler(ctx, params)
        if makes_role(ctx, operation):
            ctx.call("iam:CreateServiceLinkedRole", {"AWSServiceName": PRINCIPAL})
        return answer

    return guarded
