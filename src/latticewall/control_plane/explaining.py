"""Answers to "why": the newest world, the access log's record, and what only the control plane knows, given to the pure analysis."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from latticewall.analyze.callers import PolicyNames
from latticewall.analyze.gate import Unclear, unknown
from latticewall.analyze.gates import explain_question
from latticewall.analyze.path import Region
from latticewall.analyze.question import Asked, asked
from latticewall.analyze.record import Recorded, read_record
from latticewall.analyze.recorded import explain_record
from latticewall.analyze.recorded_connections import explain_connection, read_connection
from latticewall.analyze.signature import Diagnosis, SigningKey, claimed_key, diagnose
from latticewall.analyze.signing_mistakes import Surroundings
from latticewall.app import App, iso
from latticewall.base.identity_policies import HeldPolicy, held_policies
from latticewall.base.organization_policies import SERVICE_CONTROL, attached_levels
from latticewall.base.rows import Row
from latticewall.base.secret import Secret
from latticewall.compile.index import Index
from latticewall.compile.node import compile_node
from latticewall.control_plane.record_ids import ACCESS_CURSOR, RecordIds
from latticewall.control_plane.world import build_worlds
from latticewall.store import Snapshot
from latticewall.telemetry import access_log
from latticewall.telemetry.followed_file import Position, rotated
from latticewall.telemetry.recent import MOST_BYTES, lines_with
from latticewall.world.types import Identity, World

FLUSH_SECONDS = 2.0
"""How long a record may take from the answer to the file."""
NEW_BYTES = 8 << 20
"""Of the file's end that are looked at again while waiting."""
MOST_SIBLINGS = 20
_RECORD_ID = re.compile(r"[0-9a-f]{32}\Z")
_REQUEST_ID = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,512}\Z")
Health = Callable[[str], Mapping[tuple[str, int], str]]


class Explainer:
    """The inner request `explain`. access_log: Envoy's file. health: target group id -> {(address, port): state}."""

    def __init__(self, app: App, region: str, access_log: Path, health: Health) -> None:
        self._app = app
        self._region = region
        self._access_log = access_log
        self._health = health

    def __call__(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """{"request_id"} or {"method", "url", "headers", "who", "source"} -> an explanation as a document, for a record with `signature` beside it; one that
        cannot be told has the verdict `unknown`."""
        try:
            return self._record(str(params["request_id"])) if params.get("request_id") else self._question(params)
        except Unclear as problem:
            return unknown(str(problem)).document()

    def _question(self, params: Mapping[str, Any]) -> dict[str, Any]:
        question = asked(str(params.get("method") or "GET"), str(params.get("url") or ""), [str(line) for line in params.get("headers") or ()])
        source = str(params.get("source") or "")
        region = self._region_of(lambda world: _concerns(world, question, source))
        found = explain_question(
            region, question, who=str(params.get("who") or ""), source=source, now=self._app.clock.now(), health=self._health
        )
        return found.document()

    def _record(self, request_id: str) -> dict[str, Any]:
        entry = self._find(request_id)
        if entry["kind"] != "http":
            return self._connection(request_id, entry)
        shipped = access_log.read(json.dumps(entry))
        record = read_record(entry, shipped.record if shipped else {})
        region = self._region_of(lambda world: any(vpc.id == record.vpc_id for vpc in world.vpcs))
        diagnosis = self._diagnosis(region, record)
        found = explain_record(region, record, diagnosis, self._app.clock.now(), self._health).document()
        return {**found, "signature": diagnosis.document() if diagnosis else None}

    def _connection(self, record_id: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        shipped = access_log.read(json.dumps(entry))
        made = read_connection(record_id, entry, shipped.record if shipped else {})
        region = self._region_of(lambda world: any(vpc.id == made.vpc_id for vpc in world.vpcs))
        return {**explain_connection(region, made, self._app.clock.now()).document(), "signature": None}

    def _find(self, request_id: str) -> dict[str, Any]:
        """The line with that record id, or the newest of that request: clients may give an id themselves, and use it again. Raises Unclear."""
        if not _REQUEST_ID.match(request_id):
            raise Unclear("a request id has only printable characters, no quotes, and no spaces")
        if _RECORD_ID.match(request_id) and (line := self._line(request_id)):
            return dict(access_log.parse(line))
        deadline = time.monotonic() + FLUSH_SECONDS
        most = MOST_BYTES
        while True:
            for line in chain(lines_with(self._access_log, request_id, most), lines_with(rotated(self._access_log), request_id, most)):
                entry = access_log.parse(line)
                if entry.get("requestId") == request_id and entry.get("kind") == "http":
                    return dict(entry)
            if time.monotonic() >= deadline:
                raise Unclear(f"the access log of this boot has no request or record {request_id}")
            most = NEW_BYTES
            time.sleep(FLUSH_SECONDS / 10)

    def _line(self, record_id: str) -> str | None:
        with self._app.store.read() as snapshot:
            followed = Position.parse(snapshot.cursor(ACCESS_CURSOR))
        return RecordIds(self._app).find(record_id, self._access_log, followed)

    def _diagnosis(self, region: Region, record: Recorded) -> Diagnosis | None:
        """What became of a signature that was refused; secrets are used here, and none is in the answer."""
        if record.head is None:
            return None
        name = claimed_key(record.head)
        with self._app.store.read() as snapshot:
            keys = signing_keys(snapshot, name)
        own = next((key for key in keys if key.access_key_id == name), None)
        others = [key for key in keys if key is not own]
        return diagnose(record.head, record.refused, own, others, _surroundings(region.index.world, record))

    def _region_of(self, concerns: Callable[[World], bool]) -> Region:
        """The region a question is about, as its newest revision has it. Raises Unclear when nothing exists."""
        with self._app.store.read() as snapshot:
            worlds = build_worlds(snapshot, iso(self._app.clock.now()))
        world = next((world for world in worlds if concerns(world)), None) or next((world for world in worlds if world.region == self._region), None)
        if world is None:
            raise Unclear("the region has no resources yet")
        return Region(Index(world), compile_node(world), self._names)

    def _names(self, identity: Identity) -> PolicyNames:
        """A managed policy is called by its ARN, an inline one by its name and its holder's, one of the organization by its id."""
        with self._app.store.read() as snapshot:
            row = snapshot.get(f"iam:{identity.kind}", identity.id)
            held = list(held_policies(row, snapshot.by_arn)) if row else []
            levels = attached_levels(snapshot.get, identity.account, SERVICE_CONTROL)
        boundary = str((row.document.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn", "")) if row else ""
        return PolicyNames([_called(policy, row) for policy in held], boundary, [[policy.arn.rpartition("/")[2] for policy in level] for level in levels])


def _called(policy: HeldPolicy, row: Row | None) -> str:
    group = "" if row is not None and policy.holder.id == row.id else f" (group {policy.holder.name})"
    return (policy.arn or f'"{policy.name}"') + group


def _surroundings(world: World, record: Recorded) -> Surroundings:
    """What a client may have mixed up with what it sent."""
    service = next((item for item in world.services if item.arn == record.service_arn), None)
    if service is None:
        return Surroundings(world.region)
    port = next((listener.port for listener in service.listeners if listener.id == record.listener_id), 0)
    return Surroundings(world.region, port, tuple(filter(None, (service.dns_name, service.custom_domain_name))))


def signing_keys(snapshot: Snapshot, access_key_id: str) -> list[SigningKey]:
    """The key of that id and the newest others of its principal; none for an unknown one."""
    kind = "sts:Session" if access_key_id.startswith("ASIA") else "iam:AccessKey"
    own = snapshot.get(kind, access_key_id)
    if own is None:
        return []
    siblings = [row for row in snapshot.rows(kind, parent=own.parent) if row.account == own.account and row.id != own.id]
    siblings.sort(key=lambda row: row.created_at, reverse=True)
    return [_signing_key(row) for row in (own, *siblings[:MOST_SIBLINGS])]


def _signing_key(row: Row) -> SigningKey:
    token = row.document.get("_token")
    return SigningKey(row.id, Secret(row.document["_secret"]), Secret(token) if token else None)


def _concerns(world: World, question: Asked, source: str) -> bool:
    """Whether the client is in this region, or without a client the service."""
    if source:
        vpcs, instances = {vpc.id for vpc in world.vpcs}, {name for item in world.instances for name in (item.id, item.tags.get("Name", ""))}
        return source in vpcs | instances
    return any(question.host in (service.dns_name.lower(), service.custom_domain_name.lower()) for service in world.services)
