"""DB instances: a namespace each, with one interface in the VPC ("Working with a DB instance in a VPC").

Like an instance a database server is behind its interface's security groups, its subnet's network ACL and whatever its route table says. It only ever
answers: nothing that a database user makes the server do can open a connection.
"""

from __future__ import annotations

from latticewall.compile import addresses
from latticewall.compile.index import DatabaseInterface, Index
from latticewall.compile.vpc import ESTABLISHED, ROUTER_SYSCTLS
from latticewall.plan.databases import DatabasePlan
from latticewall.plan.names import Record
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from latticewall.plan.topology import Address, End, Link, Namespace, Route
from latticewall.world.types import Database, World

MAIN_TABLE = 254
TTL = 5
"""Seconds, of a DB instance's name ("DNS name TTL": RDS's are short, too)."""


def compile_database(item: DatabaseInterface) -> tuple[Namespace, Link]:
    """The server's namespace and its link to the VPC's router."""
    database, device = item.database, item.database_device
    gateway = str(addresses.router(item.subnet.cidr)) if item.subnet.cidr else ""  # RDS takes no subnet without
    space = Namespace(
        name=item.database_namespace, kind="database", owner=database.id, routes=(Route(MAIN_TABLE, "default", device, gateway, origin="implicit router"),),
        rules=(), addresses=tuple(sorted(Address(device, f"{address}/32") for address in item.interface.addresses)),
        sysctls=tuple(pair for pair in ROUTER_SYSCTLS if pair[0] != "ipv4/ip_forward"), ruleset=_ruleset(database),
    )  # fmt: skip
    return space, Link(End(database.vpc_id, item.router_device), End(space.name, device, item.interface.mac), addresses.VPC_MTU, item.interface.id)


def _ruleset(database: Database) -> Ruleset:
    """In: connections to the server. Out: its answers. Who may come as far is decided on the way, by security groups and network ACLs."""
    local_in, local_out = (NftRule((Match(side, ("lo",)),), "accept") for side in ("iifname", "oifname"))
    served = NftRule((Match("tcp dport", (str(database.port),)),), "accept", comment="postgres")
    return Ruleset(
        chains=(
            Chain("input", (ESTABLISHED, local_in, served), hook="input", policy="drop"),
            Chain("output", (ESTABLISHED, local_out), hook="output", policy="drop"),
        )
    )


def compile_servers(index: Index) -> tuple[DatabasePlan, ...]:
    """The servers that run, each where its namespace is."""
    found = [item for items in index.database_interfaces_of.values() for item in items]
    return tuple(sorted((_server(item) for item in found), key=lambda server: server.id))


def _server(item: DatabaseInterface) -> DatabasePlan:
    database = item.database
    return DatabasePlan(
        id=database.id, namespace=item.database_namespace, major=int(database.engine_version.partition(".")[0]), name=database.name, port=database.port,
        master=database.master, verifier=database.verifier, initial=database.initial, boot=database.boot,
    )  # fmt: skip


def database_names(world: World) -> list[Record]:
    """The names of all DB instances, known everywhere, as their private addresses; of one that is stopped too, as on AWS."""
    return [Record(f"{database.name.lower()}.", "A", TTL, (str(database.address),)) for database in world.databases]
