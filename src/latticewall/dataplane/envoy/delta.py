"""The incremental xDS protocol as a state machine, apart from gRPC: what one connected Envoy has, and what it must be sent next.

Order is make before break: clusters and their endpoints first, then routes that the client has, then scopes and what routes they ask for, then listeners, and
only when nobody refers to them any more are clusters removed. Versions are content hashes, so an Envoy that reconnects (the control plane was restarted) and
still has everything is sent nothing. A response that Envoy refuses is sent again resource by resource, so that the refusal ends up at the one that caused it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from latticewall.base import differences

KINDS = ("clusters", "endpoints", "destinations", "routes", "scopes", "listeners", "secrets")
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
    """The client's side of one kind. known: what it has, by version. pending: the response it has not answered yet.

    Tables are long and changes small: so what follows from both sides is kept, and looked at again only for names that are in doubt. table: the resources it
    was compared with. lacks: those that it does not have, nor has refused, as they are. gone: what it has, and should not. needs: what its resources are
    incomplete without, by their names; needed: how many of them are incomplete without a name.
    """

    started: bool = False
    answered: bool = False
    names: set[str] = field(default_factory=set)
    known: dict[str, str] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)
    refused: dict[str, Refusal] = field(default_factory=dict)
    pending: Response | None = None
    doubtful: set[str] = field(default_factory=set)
    table: Mapping[str, Resource] = field(default_factory=dict)
    lacks: dict[str, Resource] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    needed: Counter[str] = field(default_factory=Counter)

    def compare(self, table: Mapping[str, Resource], *, whole: bool) -> None:
        """whole: the client has everything of this kind, and what is not in the table must go; else it asks by name, and lets go by itself."""
        if table is not self.table:
            self.doubtful.update(differences.keys(self.table, table))
            self.table = table
        for name in self.doubtful:
            resource = table.get(name)
            if resource is None or self._has(name, resource):
                self.lacks.pop(name, None)
            else:
                self.lacks[name] = resource
            if whole and resource is None and name in self.known:
                self.gone.add(name)
            else:
                self.gone.discard(name)
            self._note_needs(name, resource.needs if resource is not None and name in self.known else ())
        self.doubtful.clear()

    def _has(self, name: str, resource: Resource) -> bool:
        refused = self.refused.get(name)
        return self.known.get(name) == resource.version or (refused is not None and refused.version == resource.version)

    def _note_needs(self, resource: str, needs: tuple[str, ...]) -> None:
        before = self.needs.pop(resource, ())
        if needs:
            self.needs[resource] = needs
        if before != needs:
            self.needed.subtract(before)
            self.needed.update(needs)
            for name in before:
                if not self.needed[name]:
                    del self.needed[name]


class DeltaStream:
    """One connected Envoy."""

    def __init__(self) -> None:
        self._subscriptions = {kind: _Subscription() for kind in KINDS}
        self._nonce = 0
        self.acknowledged = 0
        """How often a resource has become known at another version, or no longer known."""

    def receive(self, request: Request) -> None:
        """Take note of a request: subscriptions, and the answer to the response in flight."""
        subscription = self._subscriptions[request.kind]
        subscription.started = True
        subscription.doubtful.update(request.unsubscribe, request.subscribe, request.initial_versions)
        for name in request.unsubscribe:
            subscription.names.discard(name)
            self._forget(subscription, name)
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
        subscription.doubtful.update(response.removed, response.resources)
        for name in response.removed:
            self._forget(subscription, name)
        if error and len(response.resources) > 1:
            subscription.alone.update(response.resources)
            return
        for name, resource in response.resources.items():
            subscription.alone.discard(name)
            if error:
                subscription.refused[name] = Refusal(response.kind, name, resource.version, error)
            else:
                subscription.refused.pop(name, None)
                self.acknowledged += subscription.known.get(name) != resource.version
                subscription.known[name] = resource.version

    def _forget(self, subscription: _Subscription, name: str) -> None:
        self.acknowledged += subscription.known.pop(name, None) is not None

    def retry_refused(self) -> None:
        """Forget refusals: what was refused is offered once more (its namespace or address may be there now)."""
        for subscription in self._subscriptions.values():
            subscription.doubtful.update(subscription.refused)
            subscription.refused.clear()

    def next(self, published: Published) -> Response | None:
        """The next response to send, None while there is nothing to say or an answer is awaited."""
        self._compare(published)
        carried = self._done("clusters") and self._done("endpoints")
        routed = carried and self._done("scopes") and self._complete("routes", ("scopes",))
        released = carried and all(map(self._left, ("scopes", "listeners", "routes", "destinations", "secrets")))
        for kind in KINDS:
            subscription = self._subscriptions[kind]
            if not subscription.started or subscription.pending is not None:
                continue
            if (kind in ("scopes", "routes", "secrets") and not carried) or (kind == "listeners" and not routed):
                continue
            response = self._difference(kind, subscription, may_remove=kind != "clusters" or released)
            if response is not None:
                return self._send(subscription, response)
        return None

    def _compare(self, published: Published) -> None:
        for kind, subscription in self._subscriptions.items():
            subscription.compare(published.table(kind), whole=kind in WILDCARD_KINDS)

    def _difference(self, kind: str, subscription: _Subscription, *, may_remove: bool) -> Response | None:
        if subscription.gone and may_remove:
            # endpoints, destinations, routes and secrets go with what needs them: Envoy unsubscribes from them itself
            return self._response(kind, {}, tuple(sorted(subscription.gone)))
        wanted = self._wanted(kind, subscription)
        if alone := sorted(subscription.alone & wanted.keys()):
            return self._response(kind, {alone[0]: wanted[alone[0]]})
        if wanted:
            return self._response(kind, wanted)
        if kind in WILDCARD_KINDS and not subscription.answered and not subscription.known:
            # an empty answer tells a new Envoy that there is nothing to wait for
            return self._response(kind, {})
        return None

    @staticmethod
    def _wanted(kind: str, subscription: _Subscription) -> dict[str, Resource]:
        """What the client subscribes to and lacks; what it has nothing of, as it is opened."""
        found = ((name, item) for name, item in sorted(subscription.lacks.items()) if kind in WILDCARD_KINDS or name in subscription.names)
        return {name: item.opening if item.opening and name not in subscription.known else item for name, item in found}

    def _response(self, kind: str, resources: Mapping[str, Resource], removed: tuple[str, ...] = ()) -> Response:
        self._nonce += 1
        return Response(kind, str(self._nonce), resources, removed)

    def _send(self, subscription: _Subscription, response: Response) -> Response:
        subscription.pending = response
        if response.kind == "clusters":
            # a cluster that Envoy builds anew waits for endpoints again, though theirs may be unchanged
            endpoints = self._subscriptions["endpoints"]
            stale = [name for name in response.resources if name in endpoints.known]
            endpoints.known.update(dict.fromkeys(stale, _STALE))
            endpoints.doubtful.update(stale)
        return response

    def _done(self, kind: str) -> bool:
        """Nothing of this kind is left to send or to be answered, including what accepted clusters, scopes and listeners will ask for."""
        subscription = self._subscriptions[kind]
        if kind in WILDCARD_KINDS:
            return subscription.started and subscription.pending is None and not subscription.lacks
        return self._complete(kind, _PARENTS[kind])

    def _left(self, kind: str) -> bool:
        """Done, and nothing of this kind is there that is no longer published."""
        return self._done(kind) and not self._subscriptions[kind].gone

    def _complete(self, kind: str, parents: tuple[str, ...]) -> bool:
        """The client has all of this kind that its accepted clusters, scopes or listeners (parents) need."""
        subscription = self._subscriptions[kind]
        return subscription.pending is None and not any(self._subscriptions[parent].needed[name] for parent in parents for name in subscription.lacks)

    def settled(self, published: Published) -> bool:
        """The client has, or has refused, everything, and has nothing that is no longer published."""
        self._compare(published)
        return all(map(self._left, KINDS))

    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(sorted(refusal for item in self._subscriptions.values() for refusal in item.refused.values()))

    def known(self, kind: str) -> dict[str, str]:
        """What the client has acknowledged: name -> version."""
        return dict(self._subscriptions[kind].known)
