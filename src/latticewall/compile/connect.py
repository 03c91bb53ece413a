"""Who may connect to a TCP resource that has an auth policy of its own: decided per address of each instance before its first packet.

The caller is known without a signature: it is the session of the connecting instance's role, and its address cannot be forged (source/destination
check). An instance whose role does not let EC2 in has no session, so nobody asks. Time is decided on the safe side, as for TLS listeners.
Ours, not AWS's: docs/features/auth-policies.md. What does not parse allows nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from latticewall.base.faults import Fault
from latticewall.compile.asked_keys import asks_for, moments
from latticewall.compile.authorization import audits_connections
from latticewall.compile.index import Index
from latticewall.plan.proxy import TcpDecision
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form, Policy, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.lattice import LatticeDecision, Layer, Route, connect_request, decide_connect
from latticewall.policy.request import Principal, ResourceOwner, global_context
from latticewall.world.types import Account, Credential, Identity, ResourceConfiguration, ServiceNetwork

MOST_PORTS = 256
"""Ports of a range that are decided one by one, where a policy asks for the port; of a wider range such a policy allows none."""
PORT_KEY = "vpc-lattice-svcs:port"


def allowed(
    index: Index, vpc_id: str, network: ServiceNetwork | None, configuration: ResourceConfiguration
) -> tuple[tuple[tuple[str, ...], tuple[int, int]], ...]:
    """(addresses in the VPC whose instances may connect, range of the resource's ports they may connect to). network: None through an endpoint for the
    resource alone."""
    texts = list(_texts(index, configuration))
    asks_port = any(asks_for(text, PORT_KEY) for text in texts)
    found = []
    for first, last in configuration.port_ranges:
        if asks_port and last - first >= MOST_PORTS:
            continue
        pieces = [(port, port) for port in range(first, last + 1)] if asks_port else [(first, last)]
        decided = ((allowed_addresses(index, vpc_id, network, configuration, piece[0]), piece) for piece in pieces)
        found += [(addresses, piece) for addresses, piece in decided if addresses]
    return tuple(found)


def audited(index: Index, vpc_id: str, network: ServiceNetwork | None, configuration: ResourceConfiguration) -> tuple[TcpDecision, ...]:
    """See TcpListener.audited. As with what is enforced, a policy that asks for the port would open none of a range wider than MOST_PORTS."""
    if not configuration.has_policy or not audits_connections(network, configuration):
        return ()
    asks_port = any(asks_for(text, PORT_KEY) for text in _texts(index, configuration))
    narrow = [(first, last) for first, last in configuration.port_ranges if last - first < MOST_PORTS]
    ports = [port for first, last in narrow for port in range(first, last + 1)] if asks_port else [0]
    found: dict[TcpDecision, list[str]] = {}
    for port in ports:
        for address, denied in _denials(index, vpc_id, network, configuration, port or configuration.port_ranges[0][0]).items():
            found.setdefault(_noted(denied, port), []).append(address)
    others = TcpDecision((), layer=str(Layer.IDENTITY))
    return (*(replace(decision, addresses=tuple(sorted(addresses))) for decision, addresses in found.items()), others)


def _noted(denied: LatticeDecision | None, port: int) -> TcpDecision:
    if denied is None:
        return TcpDecision((), port)
    return TcpDecision((), port, str(denied.layer), denied.explicit, denied.statements[0].statement if denied.statements else -1)


def allowed_addresses(index: Index, vpc_id: str, network: ServiceNetwork | None, configuration: ResourceConfiguration, port: int) -> tuple[str, ...]:
    """Addresses in the VPC from which instances may connect to that port of the resource."""
    return tuple(sorted(address for address, denied in _denials(index, vpc_id, network, configuration, port).items() if denied is None))


def _denials(
    index: Index, vpc_id: str, network: ServiceNetwork | None, configuration: ResourceConfiguration, port: int
) -> dict[str, LatticeDecision | None]:
    """Each address of an instance in the VPC, with what would deny a connection from there to that port; None where nothing does."""
    vpc = index.vpcs[vpc_id]
    accounts = {account.id: account for account in index.world.accounts}
    owner = accounts.get(configuration.account, Account(configuration.account))
    place = ResourceOwner(owner.id, owner.org_id, owner.org_paths, dict(configuration.tags))
    route = Route(service_network_arn=network.arn if network else "", port=port, source_vpc=vpc.id, source_vpc_owner=vpc.account)
    times = moments(_texts(index, configuration), index.world.now)
    roles = _roles(index)
    try:
        policy = PolicySet([_policy(configuration.policy, Form.AUTH)])
    except Fault:
        policy = None

    def denial(principal: Principal, policies: PrincipalPolicies, source_ip: str, now: datetime) -> LatticeDecision | None:
        keys = global_context(principal, now=now, region=index.world.region, source_ip=source_ip, owner=place)
        decision = decide_connect(connect_request(principal, route, configuration.arn, keys), policy, policies)
        return None if decision.allowed else decision

    nobody = LatticeDecision(allowed=False, layer=Layer.IDENTITY)
    found: dict[str, LatticeDecision | None] = {}
    for item in index.attached_of.get(vpc_id, []):
        addresses = [str(address) for address in (*item.interface.addresses, *item.interface.ipv6_addresses)]
        found |= dict.fromkeys(addresses, nobody)
        role, session = roles.get(item.instance.role_arn), index.sessions_of_instances.get(item.instance.arn)
        if role is None or session is None or session.identity != role.id:
            continue
        account = accounts.get(role.account, Account(role.account))
        principal, policies = _principal(session, account), _policies(role, account)
        if policies is not None:
            for address in addresses:
                found[address] = next(filter(None, (denial(principal, policies, address, now) for now in times)), None)
    return found


def _texts(index: Index, configuration: ResourceConfiguration) -> Iterator[str]:
    """All policies that may have a part in a decision about the resource."""
    yield configuration.policy
    for role in _roles(index).values():
        yield from (*role.policies, role.boundary)
    for account in index.world.accounts:
        for level in account.service_control:
            yield from level


def _roles(index: Index) -> dict[str, Identity]:
    """Roles by ARN."""
    return {identity.arn: identity for identity in index.world.identities if identity.kind == "Role"}


def _principal(session: Credential, account: Account) -> Principal:
    """An instance's session as policies see it."""
    return Principal(
        arn=session.arn, account=session.account, type=session.principal_type, role_arn=session.role_arn, userid=session.user_id,
        tags=dict(session.tags), org_id=account.org_id, org_paths=account.org_paths, session_keys=dict(session.keys),
    )  # fmt: skip


def _policies(role: Identity, account: Account) -> PrincipalPolicies | None:
    """All that speaks for and limits a role; None if one of them cannot be read."""
    try:
        return PrincipalPolicies(
            identity=PolicySet([_policy(text, Form.IDENTITY) for text in role.policies]),
            boundary=PolicySet([_policy(role.boundary, Form.IDENTITY)]) if role.boundary else None,
            service_control=tuple(PolicySet([_policy(text, Form.SERVICE_CONTROL) for text in level]) for level in account.service_control),
        )
    except Fault:
        return None


@lru_cache(maxsize=1024)
def _policy(text: str, form: Form) -> Policy:
    """A stored policy, read once. Raises Fault."""
    return parse_policy(text, form)
