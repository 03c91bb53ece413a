"""Links: a veth pair exists when both its ends carry its mark; anything less is removed and made again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from latticewall.compile.render.network import Device, NetworkState, alias, delete_device
from latticewall.plan.topology import Link


@dataclass(frozen=True)
class LinkChanges:
    """remove: (namespace, device) of stale ends; the other end goes with it. create: links to make."""

    remove: tuple[tuple[str, str], ...]
    create: tuple[Link, ...]

    def __bool__(self) -> bool:
        return bool(self.remove or self.create)


def link_changes(links: Sequence[Link], observed: Mapping[str, NetworkState], kept: Sequence[Link]) -> LinkChanges:
    """What differs between the links that can be made now and the devices of the observed namespaces.

    kept: all planned links, also those that cannot be made now (a namespace is out of order): what exists of them stays.
    """
    create = tuple(link for link in links if not all(_is_end(link, observed, end.namespace, end.device) for end in (link.a, link.b)))
    wanted = {(end.namespace, end.device) for link in kept for end in (link.a, link.b)}
    remade = {(end.namespace, end.device) for link in create for end in (link.a, link.b)}
    stale: dict[str, tuple[str, str]] = {}
    for namespace, state in observed.items():
        for device in state.devices.values():
            place = (namespace, device.name)
            if place in remade or (device.alias and place not in wanted):
                stale.setdefault(device.alias or "/".join(place), place)
    return LinkChanges(tuple(sorted(stale.values())), create)


def is_in_order(link: Link, namespace: str, state: NetworkState) -> bool:
    """Whether the link's ends in this namespace are there. Of a veth pair both ends are, or none."""
    return all(_is_end(link, {namespace: state}, namespace, end.device) for end in (link.a, link.b) if end.namespace == namespace)


def _is_end(link: Link, observed: Mapping[str, NetworkState], namespace: str, device: str) -> bool:
    state = observed.get(namespace)
    return state is not None and device in state.devices and state.devices[device].alias == alias(link)


def removal_lines(changes: LinkChanges) -> dict[str, list[str]]:
    """Namespace -> lines that remove its stale ends."""
    found: dict[str, list[str]] = {}
    for namespace, device in changes.remove:
        found.setdefault(namespace, []).append(delete_device(device))
    return found


def ends_in(namespace: str, links: Iterable[Link]) -> list[Device]:
    """The devices that these links put into the namespace."""
    return [Device(end.device, up=False, mtu=link.mtu, mac=end.mac) for link in links for end in (link.a, link.b) if end.namespace == namespace]
