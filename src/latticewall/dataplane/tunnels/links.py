"""The link into a resource gateway's namespace, as the engine needs it: whole packets, with their checksums, and no questions of ARP."""

from __future__ import annotations

import fcntl
import socket
import struct
from ctypes import addressof, c_char, create_string_buffer
from pathlib import Path

from latticewall.dataplane.names.sockets import inside

ETH_P_ALL = 0x0003
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCGIFHWADDR, _SIOCETHTOOL = 0x8913, 0x8914, 0x8927, 0x8946
_IFF_NOARP = 0x80
_OFFLOADS = (0x17, 0x19, 0x1F, 0x24)
"""ETHTOOL_STXCSUM, SSG, STSO, SGSO: what the kernel would leave to a network card, which is not there."""
_OPENED = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


def prepare(namespace: Path, device: str) -> bytes:
    """Make the far end hand over packets as they would be on a wire, and not ask for neighbours; its hardware address. Raises OSError."""

    def there() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            name = device.encode()
            for command in _OFFLOADS:
                _ethtool(asking, name, command)
            flags = struct.unpack_from("H", fcntl.ioctl(asking, _SIOCGIFFLAGS, struct.pack("16sH14x", name, 0)), 16)[0]
            fcntl.ioctl(asking, _SIOCSIFFLAGS, struct.pack("16sH14x", name, flags | _IFF_NOARP))
            return fcntl.ioctl(asking, _SIOCGIFHWADDR, struct.pack("16s24x", name))[18:24]

    return inside(namespace, there)


def _ethtool(asking: socket.socket, name: bytes, command: int) -> None:
    value = create_string_buffer(struct.pack("II", command, 0), 8)
    request = struct.pack("16sP16x", name, addressof(c_char.from_buffer(value)))
    fcntl.ioctl(asking, _SIOCETHTOOL, request)


def packet_socket(device: str) -> socket.socket:
    """All frames that come out of the device of this namespace, and into it. Raises OSError."""
    return _bound(socket.socket(socket.AF_PACKET, socket.SOCK_RAW | _OPENED), (device, ETH_P_ALL))


def geneve_socket(address: str, port: int) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return _bound(socket.socket(family, socket.SOCK_DGRAM | _OPENED), (address, port))


def _bound(opened: socket.socket, address: tuple[str, int]) -> socket.socket:
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        opened.bind(address)
    except OSError:
        opened.close()
        raise
    return opened
