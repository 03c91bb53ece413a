"""Suricata itself, asked about a template's rules: whether they load, and what they say about a recorded conversation."""

from __future__ import annotations

import ipaddress
import json
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from template_loader import default_of, of_type

_CONFIGURATION = """%YAML 1.1
---
vars:
  address-groups: {HOME_NET: "[10.0.0.0/8]", EXTERNAL_NET: "!$HOME_NET"}
outputs:
  - eve-log: {enabled: yes, filetype: regular, filename: eve.json, types: [alert]}
app-layer: {protocols: {http: {enabled: yes}, tls: {enabled: yes}}}
"""


def rules_of(document: dict[str, Any]) -> list[str]:
    """The string and 5-tuple rules of a template as Suricata lines, variables substituted."""
    lines: list[str] = []
    for group in (default_of(document, one)["RuleGroup"] for one in of_type(document, "AWS::NetworkFirewall::RuleGroup").values()):
        source = group["RulesSource"]
        rules = source.get("RulesString", "").splitlines() + [_five_tuple(rule) for rule in source.get("StatefulRules", ())]
        sets = {**group.get("RuleVariables", {}).get("IPSets", {}), **group.get("RuleVariables", {}).get("PortSets", {})}
        for name, one in sets.items():
            rules = [rule.replace(f"${name} ", "[" + ",".join(one["Definition"]) + "] ") for rule in rules]
        lines += rules
    return lines


def _five_tuple(rule: dict[str, Any]) -> str:
    header = rule["Header"]
    arrow = "<>" if header["Direction"] == "ANY" else "->"
    ends = f"{header['Source']} {header['SourcePort']} {arrow} {header['Destination']} {header['DestinationPort']} "
    options = "".join(f"{one['Keyword']}:{','.join(one['Settings'])}; " for one in rule["RuleOptions"])
    return f"{rule['Action'].lower()} {header['Protocol'].lower()} {ends}({options})"


def _files(rules: list[str], folder: Path) -> list[str]:
    (folder / "suricata.yaml").write_text(_CONFIGURATION)
    (folder / "trial.rules").write_text("\n".join(rules) + "\n")
    return ["-c", str(folder / "suricata.yaml"), "-S", str(folder / "trial.rules"), "-l", str(folder)]


def try_loading(rules: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """`suricata -T`: exit code 0 when every rule loads."""
    return subprocess.run(["suricata", "-T", *_files(rules, folder)], capture_output=True, text=True, check=False)


def alerts(rules: list[str], conversation: CardAnswer, folder: Path) -> list[dict[str, Any]]:
    """What an inline Suricata says about a conversation."""
    (folder / "eve.json").unlink(missing_ok=True)
    (folder / "trial.pcap").write_bytes(conversation.capture())
    subprocess.run(
        ["suricata", "--simulate-ips", "--runmode", "single", "-r", str(folder / "trial.pcap"), *_files(rules, folder)], capture_output=True, check=True
    )
    return [json.loads(line)["alert"] for line in (folder / "eve.json").read_text().splitlines()]


_Ends = tuple[bytes, bytes, int, int]  # source and destination address, source and destination port
_CLIENT, _SERVER = ipaddress.ip_address("10.1.0.10").packed, ipaddress.ip_address("10.3.1.10").packed
TO_SERVER: _Ends = (_CLIENT, _SERVER, 40000, 27017)
TO_CLIENT: _Ends = (_SERVER, _CLIENT, 27017, 40000)


@dataclass(frozen=True)
class CardAnswer:
    """A connection from Production to MongoDB: one message of the client, one of the server, one of them with `text` as a BSON string."""

    text: str
    to_client: bool = True

    def capture(self) -> bytes:
        """The conversation as a capture file of raw IPv4 packets."""
        value = self.text.encode() + b"\0"
        element = b"\x02value\0" + struct.pack("<i", len(value)) + value
        telling = b"\0\0\0\0\0" + struct.pack("<i", len(element) + 5) + element + b"\0"
        quiet = b"\0\0\0\0\0\5\0\0\0\0"
        asked, answered = (_message(body) for body in ((quiet, telling) if self.to_client else (telling, quiet)))
        packets = [
            _packet(TO_SERVER, 100, 0, 0x02, b""), _packet(TO_CLIENT, 500, 101, 0x12, b""), _packet(TO_SERVER, 101, 501, 0x10, b""),
            _packet(TO_SERVER, 101, 501, 0x18, asked), _packet(TO_CLIENT, 501, 101 + len(asked), 0x18, answered),
            _packet(TO_SERVER, 101 + len(asked), 501 + len(answered), 0x11, b""), _packet(TO_CLIENT, 501 + len(answered), 102 + len(asked), 0x11, b""),
        ]  # fmt: skip
        records = (struct.pack("<IIII", second, 0, len(packet), len(packet)) + packet for second, packet in enumerate(packets, 1))
        return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + b"".join(records)


def _message(body: bytes) -> bytes:
    return struct.pack("<iiii", len(body) + 16, 1, 0, 2013) + body


def _packet(ends: _Ends, sequence: int, acknowledged: int, flags: int, payload: bytes) -> bytes:
    segment = struct.pack(">HHIIBBHHH", ends[2], ends[3], sequence, acknowledged, 5 << 4, flags, 65535, 0, 0) + payload
    pseudo = ends[0] + ends[1] + struct.pack(">BBH", 0, 6, len(segment))
    segment = segment[:16] + struct.pack(">H", _checksum(pseudo + segment)) + segment[18:]
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 1, 0, 64, 6, 0, ends[0], ends[1])
    return header[:10] + struct.pack(">H", _checksum(header)) + header[12:] + segment


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
