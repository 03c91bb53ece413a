"""HTTPS listeners out of a world, and as Envoy gets them: which certificate for which name, and what a change touches."""

from __future__ import annotations

from dataclasses import replace

from test_tls_passthrough import service, world

from latticewall.compile.node import compile_node
from latticewall.compile.render.envoy import EnvoySnapshot, inconsistencies, render
from latticewall.plan.https import Certificate, ServerNames
from latticewall.plan.node import NodePlan
from latticewall.world.types import ServerCertificate, Service, World

OWN = "*.7d67968.vpc-lattice-svcs.eu-north-7.on.aws"
FIRST, SECOND = (ServerCertificate(f"arn:aws:acm:eu-north-7:111122223333:certificate/{name}", f"print-{name}") for name in ("a", "b"))
GENERATED = ServerNames((OWN,), "lattice-eu-north-7", 90)


def https(id_: str = "svc-shop", domain: str = "", certificate: str = "", port: int = 443, protocol: str = "HTTPS") -> Service:
    made = service(id_, domain, port, certificate_arn=certificate, auth_type="NONE")
    return replace(made, listeners=tuple(replace(listener, protocol=protocol) for listener in made.listeners))


def planned(*services: Service, certificates: tuple[ServerCertificate, ...] = (FIRST, SECOND)) -> NodePlan:
    found: World = world(*services, certificates=certificates)
    groups = tuple(replace(group, protocol="HTTP", protocol_version="HTTP1") for group in found.target_groups)
    return compile_node(replace(found, target_groups=groups))


def rendered(*services: Service, certificates: tuple[ServerCertificate, ...] = (FIRST, SECOND)) -> EnvoySnapshot:
    snapshot = render(planned(*services, certificates=certificates).proxy)
    assert inconsistencies(snapshot) == ()
    return snapshot


def test_generated_names_have_one_certificate_and_custom_ones_their_own() -> None:
    custom_ones = https("svc-a", "A.example.com", FIRST.arn), https("svc-b", "b.example.com", SECOND.arn)
    proxy = planned(*custom_ones, https("svc-c", "c.example.com"), https("svc-d")).proxy
    (listener,) = proxy.http_listeners
    assert (listener.name, listener.scheme, len(proxy.hosts_of(listener))) == ("https-vpc-1-443", "https", 4)
    custom = (ServerNames(("a.example.com",), "certificate-svc-a", 90), ServerNames(("b.example.com",), "certificate-svc-b", 90))
    assert listener.server_names == (GENERATED, *custom)
    assert proxy.certificates == (
        Certificate("certificate-svc-a", arn=FIRST.arn, version="print-a"), Certificate("certificate-svc-b", arn=SECOND.arn, version="print-b"),
        Certificate("lattice-eu-north-7", domain=OWN),
    )  # fmt: skip


def test_a_certificate_that_is_not_there_is_shown_to_nobody() -> None:
    proxy = planned(https("svc-a", "a.example.com", FIRST.arn), certificates=()).proxy
    assert proxy.http_listeners[0].server_names == (GENERATED,)


def test_a_name_belongs_to_one_service_and_first_to_a_tls_listener() -> None:
    twins = planned(https("svc-a", "a.example.com", FIRST.arn), https("svc-b", "a.example.com", SECOND.arn))
    assert [names.certificate for names in twins.proxy.http_listeners[0].server_names] == ["lattice-eu-north-7", "certificate-svc-a"]
    assert [problem.id for problem in twins.problems if "names another service" in problem.message] == ["svc-b"]
    shared = planned(https("svc-a", "a.example.com", FIRST.arn), https("svc-z", "a.example.com", protocol="TLS_PASSTHROUGH"))
    assert shared.proxy.http_listeners[0].server_names == (GENERATED,)
    assert inconsistencies(render(shared.proxy)) == ()


def test_another_certificate_or_service_touches_no_listener() -> None:
    before = rendered(https("svc-a", "a.example.com", FIRST.arn))
    replaced = rendered(https("svc-a", "a.example.com", SECOND.arn))
    assert replaced.listeners == before.listeners
    assert replaced.certificates != before.certificates
    imported = rendered(https("svc-a", "a.example.com", FIRST.arn), certificates=(replace(FIRST, fingerprint="other"), SECOND))
    assert (imported.listeners, imported.certificates == before.certificates) == (before.listeners, False)
    assert rendered(https("svc-a", "a.example.com", FIRST.arn), https("svc-b")).listeners == before.listeners


def test_another_custom_name_leaves_the_chains_of_others_alone() -> None:
    before = rendered(https("svc-a", "a.example.com", FIRST.arn)).listeners["http-vpc-1-443"]
    after = rendered(https("svc-a", "a.example.com", FIRST.arn), https("svc-b", "b.example.com", SECOND.arn)).listeners["http-vpc-1-443"]
    assert after["filter_chains"][:2] == before["filter_chains"]
    assert {**after, "filter_chains": ()} == {**before, "filter_chains": ()}


def test_what_comes_and_goes_on_a_port_is_one_listener_under_one_name() -> None:
    names = {
        frozenset(rendered(*services).listeners)
        for services in (
            (https("svc-a"),), (https("svc-b", protocol="HTTP"),), (https("svc-c", "c.example.com", protocol="TLS_PASSTHROUGH"),),
            (https("svc-a"), https("svc-b", protocol="HTTP"), https("svc-c", "c.example.com", protocol="TLS_PASSTHROUGH")),
        )
    }  # fmt: skip
    assert names == {frozenset({"http-vpc-1-443"})}


def test_a_listener_lets_its_port_in() -> None:
    rulesets = [space.ruleset for space in planned(https(port=8443)).namespaces if space.ruleset]
    rules = [rule for ruleset in rulesets for chain in ruleset.chains if chain.name == "input" for rule in chain.rules]
    assert [match.values for rule in rules if rule.verdict == "jump lattice" for match in rule.matches if match.key == "tcp dport"] == [("8443",)]
