"""Who pays for an endpoint of a resource ("ModifyVpcEndpointPayerResponsibility"): AWS documents its words and no more, so what they allow is decided here.

The endpoint's owner pays for the endpoint. What the resource gateway's traffic costs is its owner's to pay, unless the endpoint's owner takes it upon himself.
"""

from __future__ import annotations

from latticewall.base.endpoint_payers import ENDPOINT_ACCOUNT, GATEWAY_ACCOUNT, GATEWAY_PAYER
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import endpoint_zones, lattice_endpoint, text

KIND = lattice_endpoint.KIND
ENDPOINT_CHARGES, GATEWAY_CHARGES = "vpc-endpoint-charges", "resource-gateway-charges"
MAY_PAY = {ENDPOINT_CHARGES: (ENDPOINT_ACCOUNT,), GATEWAY_CHARGES: (ENDPOINT_ACCOUNT, GATEWAY_ACCOUNT)}
TO_ONE = frozenset(lattice_endpoint.TYPES) - {endpoint_zones.SERVICE_NETWORK}
"""The types of endpoints that lead to one resource configuration."""


def shown(document: Document) -> Document:
    """PayerResponsibilities, of endpoints that lead to one resource configuration."""
    if document["VpcEndpointType"] not in TO_ONE:
        return {}
    payers = {ENDPOINT_CHARGES: ENDPOINT_ACCOUNT, GATEWAY_CHARGES: document.get(GATEWAY_PAYER, GATEWAY_ACCOUNT)}
    return {"PayerResponsibilities": [{"Scope": scope, "PayerResponsibilityType": payer} for scope, payer in payers.items()]}


def modify(ctx: Context, params: Document) -> Document:
    """ModifyVpcEndpointPayerResponsibility, by the endpoint's owner."""
    row = ctx.resolve(KIND, params["VpcEndpointId"])
    scope, payer = params["Scope"], params["PayerResponsibility"]
    if params.get("ServiceId") or row.document.get("VpcEndpointType") not in TO_ONE:
        raise text.invalid("InvalidParameter", f"The endpoint {row.id} does not lead to a resource configuration: who pays for it cannot be changed.")
    if payer not in MAY_PAY[scope]:
        raise text.bad_value(payer, "payerResponsibility", f"For {scope} it is not one of {', '.join(MAY_PAY[scope])}.")
    if scope == GATEWAY_CHARGES:
        row = ctx.change(row, {GATEWAY_PAYER: payer})
    return {"VpcEndpointId": row.id, **shown(row.document)}
