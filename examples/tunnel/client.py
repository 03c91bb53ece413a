#!/usr/bin/env python3
"""A client of a tunnel VPC endpoint, for machines whose kernel has no GENEVE: `ip link add ... type geneve` is better where it works.

    client.py --endpoint 10.0.1.5 --address 192.168.77.1 172.16.0.0/16 169.254.168.253

Sends what goes to these networks through the tunnel, as from --address. Standard library and `ip` only; needs root. Ends with the process.
"""

import argparse
import fcntl
import selectors
import socket
import struct
import subprocess
from ctypes import addressof, c_char, create_string_buffer

PORT = 6081
NEAR, FAR = "tunnel0", "tunnel1"
ETHERTYPES = {4: 0x0800, 6: 0x86DD}


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def without_offloads(device):
    """The kernel would leave checksums and segments to a network card. The device's hardware address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for command in (0x17, 0x19, 0x1F, 0x24):
            value = create_string_buffer(struct.pack("II", command, 0), 8)
            fcntl.ioctl(asking, 0x8946, struct.pack("16sP16x", device.encode(), addressof(c_char.from_buffer(value))))
        return fcntl.ioctl(asking, 0x8927, struct.pack("16s24x", device.encode()))[18:24]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--endpoint", required=True, help="an address of the tunnel endpoint")
    parser.add_argument("--address", required=True, action="append", help="one's own address inside the tunnel; one for each family")
    parser.add_argument("--mtu", type=int, default=8945, help="bytes, of packets inside")
    parser.add_argument("networks", nargs="+")
    given = parser.parse_args()
    ip("link", "add", NEAR, "mtu", str(given.mtu), "type", "veth", "peer", "name", FAR, "mtu", str(given.mtu))
    hardware = without_offloads(NEAR)
    ip("link", "set", NEAR, "arp", "off", "up")
    ip("link", "set", FAR, "arp", "off", "up")
    sources = {":" in address: address for address in given.address}
    for is_ipv6, address in sources.items():
        ip("address", "add", f"{address}/{128 if is_ipv6 else 32}", "dev", NEAR, *(["nodad"] if is_ipv6 else []))
    for network in given.networks:
        ip("route", "add", network, "dev", NEAR, "src", sources[":" in network])
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((FAR, 3))
    head = hardware + link.getsockname()[4]
    outside = socket.socket(socket.AF_INET6 if ":" in given.endpoint else socket.AF_INET, socket.SOCK_DGRAM)
    outside.bind(("", PORT))
    selector = selectors.DefaultSelector()
    selector.register(link, selectors.EVENT_READ)
    selector.register(outside, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj is link:
                frame, (_, _, kind, *_) = link.recvfrom(65535)
                if kind != 4 and frame[12:14] in (b"\x08\x00", b"\x86\xdd"):
                    outside.sendto(b"\0\0" + frame[12:14] + bytes(4) + frame[14:], (given.endpoint, PORT))
            else:
                datagram, sender = outside.recvfrom(65535)
                inside = datagram[8 + 4 * (datagram[0] & 0x3F) :] if len(datagram) > 8 else b""
                if sender[0] == given.endpoint and inside:
                    link.send(head + ETHERTYPES[inside[0] >> 4].to_bytes(2, "big") + inside)


if __name__ == "__main__":
    main()
