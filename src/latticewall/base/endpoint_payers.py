"""Who pays for what a resource gateway carries to a VPC endpoint: kept with the endpoint by EC2, told with the association by VPC Lattice."""

from __future__ import annotations

GATEWAY_PAYER = "_gatewayPayer"
"""The member of an endpoint's row; absent = the gateway's account."""
ENDPOINT_ACCOUNT, GATEWAY_ACCOUNT = "vpc-endpoint-account", "resource-gateway-account"
