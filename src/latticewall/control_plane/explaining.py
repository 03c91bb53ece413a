"""Answers to "why": the newest world, the access log's record, and what only the control plane knows, given to the pure analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from latticewall.analyze.gate import Unclear, unknown
from latticewall.analyze.gates import explain_question
from latticewall.analyze.path import Region
from latticewall.analyze.question import Asked, asked
from latticewall.app import App, iso
from latticewall.compile.index import Index
from latticewall.compile.node import compile_node
from latticewall.control_plane.world import build_worlds
from latticewall.world.types import World

Health = Callable[[str], Mapping[tuple[str, int], str]]


class Explainer:
    """The inner request `explain`. access_log: Envoy's file. health: target group id -> {(address, port): state}."""

    def __init__(self, app: App, region: str, access_log: Path, health: Health) -> None:
        self._app = app
        self._region = region
        self._access_log = access_log
        self._health = health

    def __call__(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """{"method", "url", "headers", "who", "source"} -> an explanation as a document; one that cannot be told has the verdict `unknown`."""
        try:
            return self._question(params)
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

    def _region_of(self, concerns: Callable[[World], bool]) -> Region:
        """The region a question is about, as its newest revision has it. Raises Unclear when nothing exists."""
        with self._app.store.read() as snapshot:
            worlds = build_worlds(snapshot, iso(self._app.clock.now()))
        world = next((world for world in worlds if concerns(world)), None) or next((world for world in worlds if world.region == self._region), None)
        if world is None:
            raise Unclear("the region has no resources yet")
        return Region(Index(world), compile_node(world))


def _concerns(world: World, question: Asked, source: str) -> bool:
    """Whether the client is in this region, or without a client the service."""
    if source:
        vpcs, instances = {vpc.id for vpc in world.vpcs}, {name for item in world.instances for name in (item.id, item.tags.get("Name", ""))}
        return source in vpcs | instances
    return any(question.host in (service.dns_name.lower(), service.custom_domain_name.lower()) for service in world.services)
