"""FirewallEngine -> the files Suricata reads: suricata.yaml, the rule file, the classification file ("Suricata user guide: Suricata.yaml").

Lean on purpose: one worker behind one NFQUEUE, small preallocations, memory bounded by memcaps; what an unread memcap would let through
is dropped (`exception-policy: auto` in inline mode).
"""

from __future__ import annotations

import json
from pathlib import PurePath

from latticewall.compile.firewall.classification import CLASSES
from latticewall.plan.firewall import FirewallEngine

YAML, RULES, CLASSIFICATION, SOCKET, EVE = "suricata.yaml", "engine.rules", "classification.config", "command.socket", "eve.json"

_MIDSTREAM = {"DROP": "drop-flow", "REJECT": "reject", "CONTINUE": "ignore"}

_PROTOCOLS = (
    "krb5", "snmp", "ikev2", "ike", "tls", "dcerpc", "ftp", "rdp", "ssh", "http2", "smtp", "imap", "smb", "nfs", "tftp", "dns", "http", "ntp",
    "dhcp", "sip", "rfb", "mqtt", "quic", "telnet", "bittorrent-dht", "ftp-data",
)  # fmt: skip


def render_classification() -> str:
    """The classification file: `config classification: name,description,priority`."""
    return "".join(f"config classification: {name},{name.replace('-', ' ')},{priority}\n" for name, priority in CLASSES.items())


def render_yaml(engine: FirewallEngine, directory: PurePath) -> str:
    """suricata.yaml. directory: absolute; holds all files the engine reads and writes."""
    return _render(directory, engine.action_order, engine.stream_exception_policy, engine.tcp_idle_timeout)


def render_check_yaml(directory: PurePath) -> str:
    """suricata.yaml of an engine that only tests whether rules load."""
    return _render(directory, ("pass", "drop", "reject", "alert"), "DROP", 350)


def _render(directory: PurePath, action_order: tuple[str, ...], exception: str, idle: int) -> str:
    midstream = _MIDSTREAM[exception]
    lines = [
        "%YAML 1.1",
        "---",
        *_TUNING,
        f"default-log-dir: {json.dumps(str(directory))}",
        f"default-rule-path: {json.dumps(str(directory))}",
        f"rule-files: [{RULES}]",
        f"classification-file: {json.dumps(str(directory / CLASSIFICATION))}",
        "action-order:",
        *(f"  - {action}" for action in action_order),
        "unix-command:",
        "  enabled: yes",
        f"  filename: {json.dumps(str(directory / SOCKET))}",
        "outputs:",
        "  - eve-log:",
        "      enabled: yes",
        "      filetype: regular",
        f"      filename: {json.dumps(str(directory / EVE))}",
        "      types:",
        "        - alert: {metadata: {app-layer: yes, flow: no, rule: {metadata: no, raw: no}}, tagged-packets: no, verdict: yes}",
        "        - drop: {alerts: yes, flows: start, verdict: yes}",
        "        - netflow",
        "stream:",
        "  memcap: 32mb",
        "  prealloc-sessions: 32",
        "  checksum-validation: no",
        "  inline: yes",
        "  midstream: no",
        f"  midstream-policy: {midstream}",
        f"  drop-invalid: {'no' if exception == 'CONTINUE' else 'yes'}",
        "  reassembly: {memcap: 64mb, depth: 0, segment-prealloc: 32, toserver-chunk-size: 2560, toclient-chunk-size: 2560, randomize-chunk-size: no}",
        "flow-timeouts:",
        "  default: {new: 30, established: 300, closed: 0, bypassed: 100, emergency-new: 10, emergency-established: 100, emergency-closed: 0}",
        f"  tcp: {{new: 60, established: {idle}, closed: 2, bypassed: 100, emergency-new: 5, emergency-established: {idle}, emergency-closed: 10}}",
        "  udp: {new: 30, established: 300, bypassed: 100, emergency-new: 10, emergency-established: 100}",
        "  icmp: {new: 30, established: 300, bypassed: 100, emergency-new: 10, emergency-established: 100}",
        "app-layer:",
        "  protocols:",
        *(f"    {name}: {{enabled: yes}}" for name in _PROTOCOLS),
    ]
    return "\n".join(lines) + "\n"


_TUNING = (
    "max-pending-packets: 128",
    "runmode: workers",
    "exception-policy: auto",
    "flow: {memcap: 32mb, hash-size: 1024, prealloc: 100, emergency-recovery: 30}",
    "defrag: {memcap: 8mb, hash-size: 256, trackers: 128, max-frags: 128, prealloc: yes, timeout: 60}",
    "host: {hash-size: 1024, prealloc: 10, memcap: 4mb}",
    "detect: {profile: low, sgh-mpm-context: auto, inspection-recursion-limit: 3000}",
    "nfq: {mode: accept, fail-open: no}",
    "decoder: {teredo: {enabled: no}, vxlan: {enabled: no}, geneve: {enabled: no}}",
    "stats: {enabled: no}",
    "logging:",
    "  default-log-level: notice",
    "  outputs: [{console: {enabled: yes}}]",
    "security: {limit-noproc: no, landlock: {enabled: no}, lua: {allow-rules: no}}",
    "mpm-algo: auto",
    "spm-algo: auto",
    "threading: {set-cpu-affinity: no, detect-thread-ratio: 1.0}",
    "pcre: {match-limit: 3500, match-limit-recursion: 1500}",
    "app-layer-events: no",
)
