"""The incremental xDS protocol as a state machine, apart from gRPC: what one connected Envoy has, and what it must be sent next.

Order is make before break: clusters and their endpoints first, then scopes and their routes, then listeners, and only when nobody refers to them any more are
clusters removed. Versions are content hashes, so an Envoy that reconnects (the control plane was restarted) and still has everything is sent nothing.
A response that Envoy refuses is sent again resource by resource, so that the refusal ends up at the resource that caused it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any

KINDS = ("clusters", "endpoints", "destinations", "scopes", "routes", "listeners", "secrets")
WILDCARD_KINDS = ("clusters", "scopes", "listeners")
_PARENTS = {"endpoints": ("clusters",), "routes": ("scopes", "listeners"), "destinations": ("listeners",), "secrets": ("listeners",)}
"""What asks for resources of a kind by name."""
_STALE = "stale"
"""In place of a version: the client has something of that name, and must get it again."""


@dataclass(frozen=True)
class Resource:
    """One resource ready to send. message: a google.protobuf.Any. which may hold a private key. needs: names of the endpoints, routes,
    destinations or secrets it is incomplete without.

    opening: what a client that has nothing of that name gets first. A new cluster with health checks is ready (and its answer given) only when its
    first targets have been checked; opened without targets it is ready at once, and a silent target holds up neither it nor the others.
    """

    version: str
    message: Any = field(repr=False)
    needs: tuple[str, ...] = ()
    opening: Resource | None = None


@dataclass(frozen=True)
class Published:
    """All resources by kind and name."""

    clusters: Mapping[str, Resource] = field(default_factory=dict)
    endpoints: Mapping[str, Resource] = field(default_factory=dict)
    destinations: Mapping[str, Resource] = field(default_factory=dict)
    scopes: Mapping[str, Resource] = field(default_factory=dict)
    listeners: Mapping[str, Resource] = field(default_factory=dict)
    routes: Mapping[str, Resource] = field(default_factory=dict)
    secrets: Mapping[str, Resource] = field(default_factory=dict)

    def table(self, kind: str) -> Mapping[str, Resource]:
        found: Mapping[str, Resource] = getattr(self, kind)
        return found


@dataclass(frozen=True, order=True)
class Refusal:
    """Envoy does not take a resource."""

    kind: str
    name: str
    version: str
    message: str


@dataclass(frozen=True)
class Request:
    """A discovery request. error: "" for an acknowledgement. initial_versions: what a reconnecting client already has."""

    kind: str
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = field(default_factory=dict)
    nonce: str = ""
    error: str = ""


@dataclass(frozen=True)
class Response:
    kind: str
    nonce: str
    resources: Mapping[str, Resource]
    removed: tuple[str, ...] = ()


@dataclass
class _Subscription:
    """The client's side of one kind. known: what it has, by version. pending: the response it has not answered yet. changes: how often any of it has
    changed."""

    started: bool = False
    answered: bool = False
    names: set[str] = field(default_factory=set)
    known: dict[str, str] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)
    refused: dict[str, Refusal] = field(default_factory=dict)
    pending: Response | None = None
    changes: int = 0


class DeltaStream:
    """One connected Envoy."""

    def __init__(self) -> None:
        self._subscriptions = {kind: _Subscription() for kind in KINDS}
        self._nonce = 0
        self._found: dict[tuple[str, str], tuple[tuple[Any, ...], Any]] = {}

    def receive(self, request: Request) -> None:
        """Take note of a request: subscriptions, and the answer to the response in flight."""
        subscription = self._subscriptions[request.kind]
        subscription.started = True
        subscription.changes += 1
        for name in request.unsubscribe:
            subscription.names.discard(name)
            subscription.known.pop(name, None)
        for name in request.subscribe:
            # asked for again means: send it, even if its version is unchanged
            if name in subscription.names:
                subscription.known[name] = _STALE
            subscription.names.add(name)
        subscription.known.update(request.initial_versions)
        pending = subscription.pending
        if pending is not None and request.nonce == pending.nonce:
            subscription.pending = None
            self._answered(subscription, pending, request.error)

    def _answered(self, subscription: _Subscription, response: Response, error: str) -> None:
        subscription.answered = True
        for name in response.removed:
            subscription.known.pop(name, None)
        if error and len(response.resources) > 1:
            subscription.alone.update(response.resources)
            return
        for name, resource in response.resources.items():
            subscription.alone.discard(name)
            if error:
                subscription.refused[name] = Refusal(response.kind, name, resource.version, error)
            else:
                subscription.refused.pop(name, None)
                subscription.known[name] = resource.version

    def retry_refused(self) -> None:
        """Forget refusals: what was refused is offered once more (its namespace or address may be there now)."""
        for subscription in self._subscriptions.values():
            if subscription.refused:
                subscription.refused.clear()
                subscription.changes += 1

    def next(self, published: Published) -> Response | None:
        """The next response to send, None while there is nothing to say or an answer is awaited."""
        carried = self._done(published, "clusters") and self._done(published, "endpoints")
        routed = carried and self._done(published, "scopes") and self._complete(published, "routes", ("scopes",))
        released = carried and all(self._left(published, kind) for kind in ("scopes", "listeners", "routes", "destinations", "secrets"))
        for kind in KINDS:
            subscription = self._subscriptions[kind]
            if not subscription.started or subscription.pending is not None:
                continue
            if (kind in ("scopes", "routes", "secrets") and not carried) or (kind == "listeners" and not routed):
                continue
            response = self._difference(kind, subscription, published, may_remove=kind != "clusters" or released)
            if response is not None:
                return self._send(subscription, response)
        return None

    def _difference(self, kind: str, subscription: _Subscription, published: Published, *, may_remove: bool) -> Response | None:
        removed = self._removed(kind, published) if may_remove else ()
        if removed:
            return self._response(kind, {}, removed)
        wanted = self._opened(subscription, self._wanted(kind, published))
        if alone := sorted(subscription.alone & wanted.keys()):
            return self._response(kind, {alone[0]: wanted[alone[0]]})
        if wanted:
            return self._response(kind, wanted)
        if kind in WILDCARD_KINDS and not subscription.answered and not subscription.known:
            # an empty answer tells a new Envoy that there is nothing to wait for
            return self._response(kind, {})
        return None

    def _wanted(self, kind: str, published: Published) -> dict[str, Resource]:
        """What the client subscribes to, does not have at this version, and has not refused at this version."""
        table, changes = published.table(kind), self._subscriptions[kind].changes
        found: dict[str, Resource] = self._once("wanted", kind, lambda: self._find_wanted(kind, table), table, changes)
        return found

    def _once(self, what: str, kind: str, find: Callable[[], Any], *depends_on: Any) -> Any:
        """What was found the last time, as long as it depends on the same objects (a count is another one after a change): it is asked for several times after
        every message, and tables are long."""
        known, answer = self._found.get((what, kind), ((), None))
        if len(known) != len(depends_on) or not all(map(is_, known, depends_on)):
            answer = find()
            self._found[what, kind] = depends_on, answer
        return answer

    def _find_wanted(self, kind: str, table: Mapping[str, Resource]) -> dict[str, Resource]:
        subscription = self._subscriptions[kind]
        return {
            name: resource
            for name, resource in table.items()
            if (kind in WILDCARD_KINDS or name in subscription.names)
            and subscription.known.get(name) != resource.version
            and not (name in subscription.refused and subscription.refused[name].version == resource.version)
        }

    @staticmethod
    def _opened(subscription: _Subscription, wanted: Mapping[str, Resource]) -> dict[str, Resource]:
        return {name: item.opening if item.opening and name not in subscription.known else item for name, item in wanted.items()}

    def _removed(self, kind: str, published: Published) -> tuple[str, ...]:
        """Endpoints, destinations, routes and secrets go with what needs them: Envoy unsubscribes from them itself."""
        if kind not in WILDCARD_KINDS:
            return ()
        table, subscription = published.table(kind), self._subscriptions[kind]
        found: tuple[str, ...] = self._once("removed", kind, lambda: tuple(sorted(subscription.known.keys() - table.keys())), table, subscription.changes)
        return found

    def _response(self, kind: str, resources: Mapping[str, Resource], removed: tuple[str, ...] = ()) -> Response:
        self._nonce += 1
        return Response(kind, str(self._nonce), resources, removed)

    def _send(self, subscription: _Subscription, response: Response) -> Response:
        subscription.pending = response
        subscription.changes += 1
        if response.kind == "clusters":
            # a cluster that Envoy builds anew waits for endpoints again, though theirs may be unchanged
            endpoints = self._subscriptions["endpoints"]
            endpoints.known.update({name: _STALE for name in response.resources if name in endpoints.known})
            endpoints.changes += 1
        return response

    def _done(self, published: Published, kind: str) -> bool:
        """Nothing of this kind is left to send or to be answered, including what accepted clusters, scopes and listeners will ask for."""
        subscription = self._subscriptions[kind]
        if kind in WILDCARD_KINDS:
            return subscription.started and subscription.pending is None and not self._wanted(kind, published)
        return self._complete(published, kind, _PARENTS[kind])

    def _left(self, published: Published, kind: str) -> bool:
        """Done, and nothing of this kind is there that is no longer published."""
        return self._done(published, kind) and not self._removed(kind, published)

    def _complete(self, published: Published, kind: str, parents: tuple[str, ...]) -> bool:
        """The client has all of this kind that its accepted clusters, scopes or listeners (parents) need."""
        subscription, table = self._subscriptions[kind], published.table(kind)
        if subscription.pending is not None:
            return False
        known = [(published.table(parent), self._subscriptions[parent]) for parent in parents]

        def complete() -> bool:
            accepted = (resource for resources, parent in known for name, resource in resources.items() if name in parent.known)
            needed = {needs for resource in accepted for needs in resource.needs if needs in table}
            return all(self._has(subscription, table[name], name) for name in needed)

        depends_on = [value for resources, parent in known for value in (resources, parent.changes)]
        return bool(self._once(f"complete {' '.join(parents)}", kind, complete, table, subscription.changes, *depends_on))

    @staticmethod
    def _has(subscription: _Subscription, resource: Resource, name: str) -> bool:
        refused = subscription.refused.get(name)
        return subscription.known.get(name) == resource.version or (refused is not None and refused.version == resource.version)

    def settled(self, published: Published) -> bool:
        """The client has, or has refused, everything, and has nothing that is no longer published."""
        return all(self._left(published, kind) for kind in KINDS)

    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(sorted(refusal for item in self._subscriptions.values() for refusal in item.refused.values()))

    def known(self, kind: str) -> dict[str, str]:
        """What the client has acknowledged: name -> version."""
        return dict(self._subscriptions[kind].known)
