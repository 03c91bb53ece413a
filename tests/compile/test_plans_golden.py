"""API calls -> rows -> world -> plan, printed: each folder of `scenarios` is a test. `make golden` (UPDATE_GOLDEN=1) writes the plans anew.

Ids and the names made of them are printed as what they stand for (`vpc.1` is the first VPC made), so that a plan changes only with its meaning.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.region import ACCOUNT, NAME, Region

from latticewall.auth.callers import root
from latticewall.base.ids import device, digest, table_number
from latticewall.base.rows import Row
from latticewall.compile.node import compile_node
from latticewall.compile.render.nft import render_nft
from latticewall.control_plane.identity import refresh_instance_sessions
from latticewall.plan.node import NodePlan
from latticewall.plan.topology import Namespace, Route
from latticewall.world.from_rows import build_world
from latticewall.world.types import World

SCENARIOS = Path(__file__).with_name("scenarios")
NAMES = sorted(folder.name for folder in SCENARIOS.iterdir())
NOW = "2026-01-02T03:04:00.000Z"


def perform(region: Region, name: str) -> list[Row]:
    """Make the scenario's calls as the account's root; the rows that are there then."""
    image = region.app.call(root(ACCOUNT, NAME), "ec2:DescribeImages", {})["Images"][0]
    kept: dict[str, Any] = {"size": "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"}
    for step in yaml.safe_load((SCENARIOS / name / "calls.yaml").read_text()):
        if "settle" in step:
            region.settle()
            continue
        answer = region.app.call(root(ACCOUNT, NAME), step["call"], filled(step.get("with") or {}, kept))
        kept |= {key: bare(at(answer, path)) for key, path in (step.get("keep") or {}).items()}
    region.settle()
    refresh_instance_sessions(region.app)
    with region.store.read() as snapshot:
        return snapshot.rows()


def filled(value: Any, kept: Mapping[str, Any]) -> Any:
    """Parameters with what `$name` and `$name.path` stand for."""
    if isinstance(value, dict):
        return {key: filled(item, kept) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, kept) for item in value]
    if isinstance(value, str) and value.startswith("$") and value[1:].split(".")[0] in kept:
        return at(kept, value[1:])
    return value


def bare(value: Any) -> Any:
    """Route 53's ids without what clients take off them."""
    return value.removeprefix("/hostedzone/") if isinstance(value, str) else value


def at(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def world_of(rows: list[Row]) -> World:
    return build_world(rows, NAME, 1, NOW)


# -- printing -------------------------------------------------------------------------------------------------------------------------------


def labels(rows: list[Row]) -> dict[str, str]:
    """Everything in a plan that follows from an id -> what it stands for."""
    found: dict[str, str] = {}
    counts: Counter[str] = Counter()
    by_kind: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        kind = row.kind.split(":")[1]
        short = re.sub(r"(?<!^)(?=[A-Z])", "-", kind).lower()
        counts[short] += 1
        label = f"{short}.{counts[short]}"
        by_kind.setdefault(kind, []).append((row.id, label))
        found[row.id] = label
        found |= {device(prefix, row.id): f"{prefix}({label})" for prefix in ("", "b", "d", "e", "f", "r", "v")}
        found[str(table_number(row.id))] = f"table({label})"
        found[f"0x{int.from_bytes(digest(row.id)[:4], 'big') | 1:08x}"] = f"mark({label})"
        if mac := row.document.get("MacAddress"):
            found[mac] = f"mac({label})"
        said_of = {"ImageId": "image", "InstanceType": "size", "Architecture": "architecture", "_token_digest": f"digest({label})"}
        for member, said in {**said_of, "_ReservationId": f"reservation({label})"}.items():
            if text := row.document.get(member):
                found[text] = said
        found |= {f"{direction}_{row.id.replace('-', '_')}": f"{direction}({label})" for direction in ("in", "out")}
        if dns := (row.document.get("dnsEntry") or {}).get("domainName"):
            found[dns] = f"dns({label})"
        if endpoint := row.document.get("_endpoint"):
            found[endpoint["Address"]] = f"name({label})"
        if dns := row.document.get("DNSName"):
            found |= {dns: f"dns({label})", f"alb-{row.id.rpartition('/')[2]}": f"alb({label})"}
    for (endpoint, label), (subnet, where) in product(by_kind.get("VpcEndpoint", []), by_kind.get("Subnet", [])):
        found |= {device(prefix, endpoint, subnet): f"{prefix}({label},{where})" for prefix in ("g", "u")}
    attachments = by_kind.get("TransitGatewayAttachment", [])
    for (attachment, label), (subnet, where) in product(attachments, by_kind.get("Subnet", [])):
        found |= {device(prefix, attachment, subnet): f"{prefix}({label},{where})" for prefix in ("t", "a")}
    for (table, label), zone, mark in product(by_kind.get("TransitGatewayRouteTable", []), "ab", range(3)):
        found[str(table_number(table, NAME + zone, str(mark)))] = f"table({label},{zone},{mark})"
    return found


def printed(plan: NodePlan, rows: list[Row]) -> str:
    text = "\n".join(lines(plan)) + "\n"
    names = labels(rows)
    return re.sub("|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name))), lambda found: names[found[0]], text)


def lines(plan: NodePlan) -> Iterator[str]:
    for namespace in plan.namespaces:
        yield from namespace_lines(namespace)
    for link in plan.links:
        first, second = (f"{end.namespace} {end.device} {end.mac}".rstrip() for end in (link.a, link.b))
        yield f"link {first} -- {second} mtu {link.mtu}"
    for firewall in plan.firewalls:
        yield f"firewall {firewall.endpoint_id} {firewall.availability_zone} in {firewall.namespace} queue {firewall.queue}"
        yield from (f"  {rule}" for rule in firewall.engine.rules)
    for title, part in (("proxy", plan.proxy), ("authorization", plan.authorization), ("names", plan.names)):
        yield f"{title} {json.dumps(without_nothing(asdict(part)), indent=1, default=str, sort_keys=True)}"
    for instance in plan.instances:
        yield f"instance {instance.instance_id} {instance.hostname} resolver {instance.resolver or 'none'}"
    for database in plan.databases:
        what = f"postgres {database.major} port {database.port} master {database.master} initial {database.initial or 'none'}"
        yield f"database {database.id} in {database.namespace} {what} verifier {database.verifier}"
    for tunnel in plan.tunnels:
        yield f"tunnel {tunnel.id} in {tunnel.namespace} to {tunnel.far} mtu {tunnel.mtu}"
        yield from (f"  {' '.join(zone.addresses)} {zone.device} -- {zone.far_device} as {zone.block}" for zone in tunnel.zones)
    yield from (f"problem {problem.kind} {problem.id}: {problem.message}" for problem in plan.problems)


def namespace_lines(namespace: Namespace) -> Iterator[str]:
    yield f"namespace {namespace.name} ({namespace.kind})"
    yield from (f"  address {address.device} {address.cidr}" for address in namespace.addresses)
    for rule in namespace.rules:
        asked = {"iif": rule.incoming, "mark": rule.mark, "from": rule.source}
        yield f"  rule {rule.priority} {' '.join(f'{key} {value}' for key, value in asked.items() if value)} table {rule.table}"
    yield from (f"  {route_line(route)}" for route in namespace.routes)
    if namespace.ruleset:
        yield from (f"  {line}" for line in render_nft(namespace.ruleset).splitlines() if line.strip())


def route_line(route: Route) -> str:
    ways = (route.kind if route.kind != "unicast" else "", route.via and f"via {route.via}", route.device and f"dev {route.device}")
    way = " ".join(part for part in ways if part)
    return f"route table {route.table} {route.destination} {way}  # {route.origin}"


def without_nothing(value: Any) -> Any:
    """A document without what is empty, to be read by people."""
    if isinstance(value, dict):
        return {key: without_nothing(item) for key, item in value.items() if item not in ("", None, (), [], {}, False)}
    return [without_nothing(item) for item in value] if isinstance(value, (list, tuple)) else value


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_golden_plan(region: Region, name: str) -> None:
    rows = perform(region, name)
    plan = printed(compile_node(world_of(rows)), rows)
    golden = SCENARIOS / name / "plan.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(plan)
    assert plan == golden.read_text(), "the plan has changed: review the difference, then `make golden`"


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_does_not_depend_on_the_order_of_rows(region: Region, name: str) -> None:
    rows = perform(region, name)
    assert world_of(rows[::-1]) == world_of(rows)
    assert compile_node(world_of(rows[::-1])) == compile_node(world_of(rows))
