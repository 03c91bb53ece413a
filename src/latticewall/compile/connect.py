"""Who may connect to a TCP resource that has an auth policy of its own: decided per instance before its first packet.

The caller is known without a signature: it is the role of the connecting instance, and its address cannot be forged (source/destination check).
Ours, not AWS's: docs/features/auth-policies.md. What does not parse allows nobody.
"""

from __future__ import annotations

from datetime import datetime

from latticewall.base.faults import Fault
from latticewall.compile.asked_keys import asks_for
from latticewall.compile.index import Attached, Index
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.lattice import Route, connect_request, decide_connect
from latticewall.policy.request import Principal, ResourceOwner, global_context
from latticewall.world.types import Account, Identity, ResourceConfiguration, ServiceNetwork

MOST_PORTS = 256
"""Ports of a range that are decided one by one, where a policy asks for the port; of a wider range such a policy allows none."""
PORT_KEY = "vpc-lattice-svcs:port"


def allowed(
    index: Index, vpc_id: str, network: ServiceNetwork | None, configuration: ResourceConfiguration
) -> tuple[tuple[tuple[str, ...], tuple[int, int]], ...]:
    """(addresses in the VPC whose instances may connect, range of the resource's ports they may connect to). network: None through an endpoint for the
    resource alone."""
    texts = [configuration.policy, *(text for role in _roles(index).values() for text in (*role.policies, role.boundary))]
    texts += [text for account in index.world.accounts for level in account.service_control for text in level]
    asks_port = any(asks_for(text, PORT_KEY) for text in texts)
    found = []
    for first, last in configuration.port_ranges:
        if asks_port and last - first >= MOST_PORTS:
            continue
        pieces = [(port, port) for port in range(first, last + 1)] if asks_port else [(first, last)]
        decided = ((allowed_addresses(index, vpc_id, network, configuration, piece[0]), piece) for piece in pieces)
        found += [(addresses, piece) for addresses, piece in decided if addresses]
    return tuple(found)


def allowed_addresses(index: Index, vpc_id: str, network: ServiceNetwork | None, configuration: ResourceConfiguration, port: int) -> tuple[str, ...]:
    """Addresses in the VPC whose instances may connect to that port of the resource."""
    try:
        policy = PolicySet([parse_policy(configuration.policy, Form.AUTH)])
    except Fault:
        return ()
    roles = _roles(index)
    found = [
        str(address)
        for item in index.attached_of.get(vpc_id, [])
        if item.instance.role_arn in roles and _may_connect(index, item, roles[item.instance.role_arn], policy, network, configuration, port)
        for address in (*item.interface.addresses, *item.interface.ipv6_addresses)
    ]
    return tuple(sorted(found))


def _roles(index: Index) -> dict[str, Identity]:
    """Roles by ARN."""
    return {identity.arn: identity for identity in index.world.identities if identity.kind == "Role"}


def _may_connect(
    index: Index, item: Attached, role: Identity, policy: PolicySet, network: ServiceNetwork | None, configuration: ResourceConfiguration, port: int
) -> bool:
    account = next((known for known in index.world.accounts if known.id == role.account), Account(role.account))
    principal = Principal(
        arn=f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{item.instance.id}", account=role.account, type="AssumedRole", role_arn=role.arn,
        userid=f"{role.id}:{item.instance.id}", tags=dict(role.tags), org_id=account.org_id, org_paths=account.org_paths,
    )  # fmt: skip
    vpc = index.vpcs[item.interface.vpc_id]
    route = Route(service_network_arn=network.arn if network else "", port=port, source_vpc=vpc.id, source_vpc_owner=vpc.account)
    keys = global_context(
        principal, now=datetime.fromisoformat(index.world.now), region=index.world.region, source_ip=str(item.interface.addresses[0]),
        owner=ResourceOwner(account=configuration.account),
    )  # fmt: skip
    try:
        identity = PrincipalPolicies(
            identity=PolicySet([parse_policy(text, Form.IDENTITY) for text in role.policies]),
            boundary=PolicySet([parse_policy(role.boundary, Form.IDENTITY)]) if role.boundary else None,
            service_control=tuple(PolicySet([parse_policy(text, Form.SERVICE_CONTROL) for text in level]) for level in account.service_control),
        )
    except Fault:
        return False
    return decide_connect(connect_request(principal, route, configuration.arn, keys), policy, identity).allowed
