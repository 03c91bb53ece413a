"""Namespaces as ip state, and the lines between two states."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from latticewall.compile.render.network import (
    Device,
    NetworkState,
    Unrenderable,
    after_creation,
    alias,
    create_link,
    delete_device,
    desired_state,
    desired_sysctls,
    diff,
    without_missing,
)  # fmt: skip
from latticewall.plan.topology import Address, End, Link, Namespace, PolicyRule, Route

GOLDEN = Path(__file__).with_name("network_golden.txt")

LINKS = (
    Link(End("vpc-0a", "ealpha"), End("i-0b", "eth0", "02:0A:00:00:00:01"), 9001, "eni-1"),
    Link(End("tgw-0c", "aalpha"), End("vpc-0a", "talpha"), 8500, "tgw-attach-1"),
)
ROUTER = Namespace(
    "vpc-0a", "vpc", "vpc-0a",
    addresses=(Address("lo", "10.0.0.1/32"), Address("lo", "169.254.169.253/32")),
    routes=(
        Route(20_000, "10.0.0.10/32", "ealpha", origin="local"),
        Route(20_000, "10.0.0.0/16", kind="blackhole", origin="local: no such address"),
        Route(20_000, "default", "talpha", "169.254.64.1", origin="rtb-1 0.0.0.0/0 -> tgw-1"),
        Route(254, "10.0.0.10/32", "ealpha"),
    ),
    rules=(PolicyRule(1000, 20_000, "ealpha"), PolicyRule(999, 20_001, "talpha", 2, 0xFF)),
    sysctls=(("ipv4/conf/all/rp_filter", "0"), ("ipv4/conf/default/rp_filter", "0"), ("ipv4/ip_forward", "1")),
)  # fmt: skip
EMPTY = NetworkState({"lo": Device("lo", up=False)})


def made(namespace: Namespace = ROUTER) -> NetworkState:
    """The namespace right after its links were made."""
    return after_creation(EMPTY, [device for device in desired_state(namespace, LINKS).devices.values() if device.name != "lo"])


def test_bringing_up_and_taking_down_are_the_golden_lines() -> None:
    wanted = desired_state(ROUTER, LINKS)
    bare = desired_state(replace(ROUTER, addresses=(), routes=(), rules=()), LINKS)
    settings = [f"{key} = {value}" for key, value in desired_sysctls(ROUTER, ["lo", "ealpha"]).items()]
    text = "\n".join(
        [
            *(create_link(link, "/netns") for link in LINKS),
            "",
            *settings,
            "",
            *diff(made(), wanted),
            "",
            *diff(wanted, bare),
            "",
            delete_device("ealpha"),
            "",
        ]
    )
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_equal_states_need_nothing() -> None:
    wanted = desired_state(ROUTER, LINKS)
    assert diff(wanted, wanted) == []


def test_additions_come_before_removals() -> None:
    before = desired_state(ROUTER, LINKS)
    after = desired_state(
        replace(ROUTER, routes=(Route(20_000, "10.9.0.0/16", kind="blackhole"),), rules=(PolicyRule(5, 7, "ealpha"),), addresses=()), LINKS
    )
    verbs = [line.split()[1] for line in diff(before, after)]
    assert verbs[:2] == ["replace", "add"]
    assert set(verbs[2:]) == {"delete"}


def test_a_changed_next_hop_is_one_replacement() -> None:
    before = desired_state(ROUTER, LINKS)
    routes = tuple(replace(route, via="169.254.64.9") if route.via else route for route in ROUTER.routes)
    after = desired_state(replace(ROUTER, routes=routes), LINKS)
    assert diff(before, after) == [
        "route replace default via 169.254.64.9 dev talpha onlink table 20000 proto 242"
    ]


def test_origins_do_not_matter_to_the_kernel() -> None:
    renamed = replace(ROUTER, routes=tuple(replace(route, origin="another name") for route in ROUTER.routes))
    assert desired_state(renamed, LINKS) == desired_state(ROUTER, LINKS)


def test_addresses_are_canonical() -> None:
    found = desired_state(Namespace("n", "vpc", "vpc-1", (Address("lo", "10.0.0.1"),), (Route(254, "0.0.0.0/0", kind="blackhole"),)), ())
    assert found.addresses == {Address("lo", "10.0.0.1/32")}
    assert found.routes == {Route(254, "default", kind="blackhole")}


def test_addresses_of_devices_that_are_not_ours_stay() -> None:
    """Those that somebody made inside an instance."""
    wanted = desired_state(ROUTER, LINKS)
    own, gone = Device("tunnel0", up=True), Device("egone", up=True, alias=f"{alias(LINKS[0])}x")
    held = frozenset({Address("tunnel0", "192.168.77.1/32"), Address("egone", "10.0.0.7/32"), Address("lo", "10.0.0.8/32")})
    found = replace(wanted, devices={**wanted.devices, "tunnel0": own, "egone": gone}, addresses=wanted.addresses | held)
    assert diff(found, wanted) == ["address delete 10.0.0.7/32 dev egone", "address delete 10.0.0.8/32 dev lo"]


def test_a_route_over_a_missing_device_leads_nowhere() -> None:
    wanted = without_missing(desired_state(ROUTER, LINKS), ["lo", "ealpha"])
    assert Route(20_000, "default", kind="blackhole") in wanted.routes
    assert Route(20_000, "10.0.0.10/32", "ealpha") in wanted.routes
    assert set(wanted.devices) == {"lo", "ealpha"}
    assert without_missing(wanted, ["lo", "ealpha", "other"]) == wanted


def test_devices_are_adjusted_in_one_line() -> None:
    wanted = desired_state(ROUTER, LINKS)
    off = replace(wanted, devices={**wanted.devices, "ealpha": Device("ealpha", up=False, mtu=1500)})
    assert diff(off, wanted) == [f'link set dev ealpha mtu 9001 alias "{alias(LINKS[0])}" up']


def test_settings_reach_devices_made_before_them() -> None:
    found = desired_sysctls(ROUTER, ["e1"])
    assert found["ipv4/conf/e1/rp_filter"] == "0"
    assert "ipv4/conf/e1/ip_forward" not in found


@pytest.mark.parametrize(
    "change",
    [
        {"addresses": (Address("lo; reboot", "10.0.0.1/32"),)}, {"addresses": (Address("lo", "10.0.0.1/32 dev e1"),)}, {"routes": (Route(254, "any", "e1"),)},
        {"routes": (Route(254, "10.0.0.0/8"),)}, {"routes": (Route(254, "10.0.0.0/8", "e1", "via me"),)}, {"routes": (Route(254, "10.0.0.1/8", "e1"),)},
        {"routes": (Route(0, "10.0.0.0/8", "e1"),)}, {"routes": (Route(254, "10.0.0.0/8", kind="local"),)},
        {"routes": (Route(254, "10.0.0.0/8", "e1", kind="blackhole"),)},
        {"routes": (Route(254, "10.0.0.0/8", "e1"), Route(254, "10.0.0.0/8", "e2"))}, {"rules": (PolicyRule(0, 5),)}, {"rules": (PolicyRule(32766, 5),)},
        {"rules": (PolicyRule(5, 5, "e 1"),)}, {"rules": (PolicyRule(5, 5, mark=-1),)},
    ],
)  # fmt: skip
def test_what_cannot_stand_in_a_command_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        desired_state(replace(ROUTER, **change), ())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"mtu": 10},
        {"mtu": 70_000},
        {"a": End("../x", "e1")},
        {"a": End("x", "e1 up")},
        {"b": End("x", "e1", "02:00")},
        {"a": End("x", "averylongdevicename")},
    ],
)
def test_links_that_cannot_stand_in_a_command_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(Unrenderable):
        create_link(replace(LINKS[0], **change), "/netns")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pair", [("../../kernel/core_pattern", "1"), ("ipv4/ip_forward", "1; x"), ("ipv4/conf/../x", "1"), ("/etc/passwd", "1")]
)
def test_settings_outside_the_grammar_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(Unrenderable, match="sysctl"):
        desired_sysctls(replace(ROUTER, sysctls=(pair,)), [])


def test_two_devices_of_one_name_are_refused() -> None:
    with pytest.raises(Unrenderable, match="two devices ealpha"):
        desired_state(ROUTER, (*LINKS, replace(LINKS[0], b=End("i-9", "eth0"))))
