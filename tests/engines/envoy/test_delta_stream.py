"""The incremental protocol's state machine by itself, against a client that behaves, refuses, reconnects or answers late."""

from __future__ import annotations

from collections.abc import Mapping

from latticewall.dataplane.envoy.delta import DeltaStream, Published, Refusal, Request, Resource, Response


def resource(version: str = "1", *needs: str) -> Resource:
    return Resource(version, f"message {version}", needs)


def published(
    *, clusters: Mapping[str, str], listeners: Mapping[str, str], endpoints: str = "1", routes: str = "1", scopes: Mapping[str, str] | None = None
) -> Published:
    """Resources by name and version; each cluster needs its endpoints, each listener and each scope its routes."""
    scopes = scopes or {}
    return Published(
        clusters={name: resource(version, name) for name, version in clusters.items()},
        endpoints={name: resource(endpoints) for name in clusters},
        listeners={name: resource(version, name) for name, version in listeners.items()},
        scopes={name: resource(version, name) for name, version in scopes.items()},
        routes={name: resource(routes) for name in (*listeners, *scopes)},
    )


class Client:
    """An Envoy as the protocol sees it: subscribes to what accepted clusters and listeners need."""

    def __init__(self, stream: DeltaStream, *, refuses: frozenset[str] = frozenset(), has: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.stream = stream
        self.refuses = refuses
        self.asked: set[tuple[str, str]] = set()
        self.log: list[str] = []
        has = has or {}
        for kind in ("clusters", "scopes", "listeners"):
            stream.receive(Request(kind, initial_versions=has.get(kind, {})))
        for kind in ("endpoints", "routes"):
            if has.get(kind):
                stream.receive(Request(kind, subscribe=tuple(has[kind]), initial_versions=has[kind]))

    def take(self, response: Response) -> None:
        """Answer one response."""
        shown = ",".join(sorted(response.resources)) + "".join(f" -{name}" for name in response.removed)
        bad = sorted(self.refuses & set(response.resources)) if response.kind == "listeners" else []
        self.log.append(f"{response.kind} {shown}".strip() + (" refused" if bad else ""))
        self.stream.receive(Request(response.kind, nonce=response.nonce, error=f"bad {','.join(bad)}" if bad else ""))
        kind = {"clusters": "endpoints"}.get(response.kind, "routes")
        needs = dict.fromkeys(need for name, item in response.resources.items() for need in item.needs if name not in bad)
        if wanted := tuple(need for need in needs if (kind, need) not in self.asked):
            self.asked.update((kind, need) for need in wanted)
            self.stream.receive(Request(kind, subscribe=wanted))

    def follow(self, snapshot: Published) -> list[str]:
        """Answer everything until the server has nothing more to say; what was received, in order."""
        self.log = []
        while (response := self.stream.next(snapshot)) is not None:
            self.take(response)
        return self.log


ONE = published(clusters={"c": "1"}, listeners={"l": "1"})


def test_a_new_client_gets_clusters_before_endpoints_before_listeners_before_routes() -> None:
    client = Client(DeltaStream())
    assert client.follow(ONE) == ["clusters c", "endpoints c", "scopes", "listeners l", "routes l"]
    assert client.stream.settled(ONE)
    assert client.follow(ONE) == []


def test_listeners_come_when_the_services_behind_them_can_be_found() -> None:
    client = Client(DeltaStream())
    snapshot = published(clusters={"c": "1"}, listeners={"l": "1"}, scopes={"one": "1", "two": "1"})
    assert client.follow(snapshot) == ["clusters c", "endpoints c", "scopes one,two", "routes one,two", "listeners l", "routes l"]
    assert client.stream.settled(snapshot)


def test_a_service_goes_before_its_cluster_and_comes_after_it() -> None:
    client = Client(DeltaStream())
    client.follow(published(clusters={"c": "1"}, listeners={"l": "1"}, scopes={"one": "1"}))
    other = published(clusters={"d": "1"}, listeners={"l": "1"}, scopes={"two": "1"})
    assert client.follow(other) == ["clusters d", "endpoints d", "scopes  -one", "scopes two", "routes two", "clusters  -c"]
    assert client.stream.settled(other)
    nobody = published(clusters={}, listeners={})
    assert client.follow(nobody) == ["scopes  -two", "listeners  -l", "clusters  -d"]
    assert client.stream.settled(nobody)


def test_a_name_goes_to_another_service_when_that_one_knows_it() -> None:
    def named(owner: str, version: str) -> Published:
        services = ("a", "b") if owner == "a" else ("b",)
        scopes = {"custom": resource(owner, owner), **{service: resource("1", service) for service in services}}
        return Published(scopes=scopes, routes={service: resource(version) for service in services})

    client = Client(DeltaStream())
    client.follow(named("a", "1"))
    assert client.follow(named("b", "2")) == ["routes b", "scopes  -a", "scopes custom"]
    assert client.stream.settled(named("b", "2"))


def test_a_service_that_went_while_nobody_was_connected_goes_when_the_client_comes_back() -> None:
    client = Client(DeltaStream(), has={"scopes": {"one": "1", "gone": "1"}, "routes": {"one": "1", "gone": "1"}})
    assert client.follow(published(clusters={}, listeners={}, scopes={"one": "1"})) == ["clusters", "scopes  -gone", "listeners"]


def test_an_empty_network_is_said_once() -> None:
    client = Client(DeltaStream())
    assert client.follow(Published()) == ["clusters", "scopes", "listeners"]
    assert client.stream.settled(Published())


def test_a_reconnecting_client_that_has_everything_is_sent_nothing_of_it() -> None:
    stream = DeltaStream()
    client = Client(stream, has={"clusters": {"c": "1"}, "endpoints": {"c": "1"}, "listeners": {"l": "1"}, "routes": {"l": "1"}})
    assert client.follow(ONE) == ["scopes"]
    assert stream.settled(ONE)


def test_a_reconnecting_client_loses_what_is_gone_meanwhile() -> None:
    client = Client(DeltaStream(), has={"clusters": {"c": "1", "old": "1"}, "endpoints": {"c": "1"}, "listeners": {"gone": "1"}})
    assert client.follow(ONE) == ["scopes", "listeners  -gone", "listeners l", "routes l", "clusters  -old"]
    assert client.stream.settled(ONE)


def test_clusters_come_before_the_routes_that_use_them_and_go_after() -> None:
    client = Client(DeltaStream())
    client.follow(ONE)
    moved = published(clusters={"d": "1"}, listeners={"l": "1"}, routes="2")
    assert client.follow(moved) == ["clusters d", "endpoints d", "routes l", "clusters  -c"]
    assert client.stream.settled(moved)


def test_listeners_wait_until_their_clusters_are_answered() -> None:
    stream = DeltaStream()
    client = Client(stream)
    sent = stream.next(ONE)
    assert sent is not None
    assert sent.kind == "clusters"
    assert stream.next(ONE) is None
    assert not stream.settled(ONE)
    client.take(sent)
    assert client.follow(ONE) == ["endpoints c", "scopes", "listeners l", "routes l"]


def test_a_rebuilt_cluster_gets_its_unchanged_endpoints_again() -> None:
    client = Client(DeltaStream())
    client.follow(ONE)
    rebuilt = published(clusters={"c": "2"}, listeners={"l": "1"})
    assert client.follow(rebuilt) == ["clusters c", "endpoints c"]


def test_endpoints_with_an_opening_are_opened_once() -> None:
    def checked(cluster: str, targets: str) -> Published:
        endpoints = Resource(targets, "targets", opening=Resource("opening", "none"))
        return Published(clusters={"c": resource(cluster, "c")}, endpoints={"c": endpoints})

    client = Client(DeltaStream())
    messages: list[object] = []

    def follow(snapshot: Published) -> list[object]:
        messages.clear()
        while (response := client.stream.next(snapshot)) is not None:
            messages.extend(item.message for item in response.resources.values() if response.kind == "endpoints")
            client.take(response)
        assert client.stream.settled(snapshot)
        return messages

    assert follow(checked("1", "1")) == ["none", "targets"]
    assert follow(checked("1", "2")) == ["targets"]
    # a rebuilt cluster shares its endpoints with the one it replaces, which must not lose them
    assert follow(checked("2", "2")) == ["targets"]
    again = Client(DeltaStream(), has={"clusters": {"c": "2"}, "endpoints": {"c": "2"}})
    assert again.follow(checked("2", "2")) == ["scopes", "listeners"]


def test_a_refused_response_is_repeated_one_by_one_so_that_the_refusal_has_a_name() -> None:
    client = Client(DeltaStream(), refuses=frozenset({"bad"}))
    snapshot = published(clusters={}, listeners={"bad": "1", "good": "1", "fine": "1"})
    client.follow(snapshot)
    assert client.log[:3] == ["clusters", "scopes", "listeners bad,fine,good refused"]
    assert {"listeners bad refused", "listeners fine", "listeners good"} <= set(client.log)
    assert client.stream.refusals() == (Refusal("listeners", "bad", "1", "bad bad"),)
    assert client.stream.settled(snapshot)
    assert client.follow(snapshot) == []


def test_a_refused_resource_is_offered_again_when_it_changes_or_on_request() -> None:
    client = Client(DeltaStream(), refuses=frozenset({"bad"}))
    client.follow(published(clusters={}, listeners={"bad": "1"}))
    changed = published(clusters={}, listeners={"bad": "2"})
    assert client.follow(changed) == ["listeners bad refused"]
    client.refuses = frozenset()
    assert client.follow(changed) == []
    client.stream.retry_refused()
    assert client.follow(changed) == ["listeners bad", "routes bad"]
    assert client.stream.refusals() == ()
    assert client.stream.settled(changed)


def test_a_resource_asked_for_again_is_sent_again() -> None:
    client = Client(DeltaStream())
    client.follow(ONE)
    client.stream.receive(Request("routes", unsubscribe=("l",)))
    client.stream.receive(Request("routes", subscribe=("l",)))
    assert client.follow(ONE) == ["routes l"]


def test_an_answer_to_an_older_response_changes_nothing() -> None:
    stream = DeltaStream()
    Client(stream)
    sent = stream.next(ONE)
    assert sent is not None
    stream.receive(Request("clusters", nonce="stale", error="no"))
    assert stream.next(ONE) is None
    assert stream.refusals() == ()


def test_what_is_known_is_what_was_acknowledged() -> None:
    stream = DeltaStream()
    client = Client(stream)
    stream.next(ONE)
    assert stream.known("clusters") == {}
    client = Client(DeltaStream())
    client.follow(ONE)
    assert {kind: client.stream.known(kind) for kind in ("clusters", "endpoints", "listeners", "routes")} == {
        "clusters": {"c": "1"},
        "endpoints": {"c": "1"},
        "listeners": {"l": "1"},
        "routes": {"l": "1"},
    }
