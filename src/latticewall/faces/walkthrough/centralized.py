"""Scenario 1: every packet between the VPCs passes Transit Gateway and firewall."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

from latticewall.faces.walkthrough.records import Record, alert_fields, flow_fields
from latticewall.faces.walkthrough.scene import Scene
from latticewall.faces.walkthrough.stacks import until
from latticewall.faces.walkthrough.trials import PATIENCE, Trial, answers, connect, curl, fails_with, http, observed, prints, redis, set_and_get, times_out

SERVERS = {"Logging": 5044, "Redis": 6379, "Mongo": 27017}
KEPT_APART = "Production and Dev are kept apart"
CARD_NUMBER = "card number leaves MongoDB"
ANN = '{"name": "Ann", "city": "Oslo"}'
_CLIENTS = (("Web", "web"), ("WebDev", "web-dev"))
_PRESSES = 5
"""How often the engines are killed so that the holder waits long enough before it starts them again: each time twice as long, from 0.1 s."""
_RETURN_SECONDS = 15.0


def check(scene: Scene) -> None:
    """All checks. Flows end with their connections, so what is asked of the flow log was tried long before it is read."""
    scene.await_servers(**SERVERS, Web=80, WebDev=80)
    scene.await_applied()
    _shared_services(scene)
    _stopped(scene)
    _alert_log(scene)
    _flow_log(scene)
    _fail_closed(scene)
    scene.logs_show(scene.outputs["AlertLogGroup"], scene.outputs["FlowLogGroup"])


def _shared_services(scene: Scene) -> None:
    url = "http://logging.example.com:5044/"
    trials = []
    for instance, name in _CLIENTS:
        post = curl(url, "-d", f'{{"from": "{name}"}}')
        trials += [
            Trial(f"{name}: curl, POST to logging.example.com:5044", instance, post, http(201, holding='"stored"')),
            Trial(f"{name}: redis-cli, PING SET GET at redis.example.com", instance, redis("redis.example.com"), answers(name), set_and_get(name)),
            Trial(f"{name}: pymongo, insert and find at mongodb.example.com", instance, _find(scene, "Ann"), prints(ANN)),
        ]
    scene.carry_out(*trials)
    scene.carry_out(Trial("web: curl, what logging.example.com:5044 has stored", "Web", curl(url), http(200, holding='"from": "web-dev"')))


def _find(scene: Scene, name: str) -> tuple[str, ...]:
    return scene.client("people.py", "mongodb.example.com", name)


def _stopped(scene: Scene) -> None:
    """What the firewall stops, and beside it what it lets pass."""
    address = scene.outputs["WebAddress"]
    scene.carry_out(
        Trial("web: curl web-dev.example.com (Production to Dev)", "Web", curl("http://web-dev.example.com/", seconds=PATIENCE), times_out()),
        Trial("web-dev: curl web.example.com (Dev to Production)", "WebDev", curl("http://web.example.com/", seconds=PATIENCE), times_out()),
        Trial("logging: curl web.example.com (on the domain list)", "Logging", curl("http://web.example.com/"), http(200, holding="web greets")),
        Trial(f"logging: curl {address} (the same by address)", "Logging", curl(f"http://{address}/", seconds=PATIENCE), times_out()),
        Trial("web: find whose answer carries a card number", "Web", _find(scene, "Bob"), fails_with("NetworkTimeout", "stopped inside the connection")),
        Trial("web: an ordinary find at the same time", "Web", _find(scene, "Ann"), prints(ANN)),
    )


# -- logs ----------------------------------------------------------------------------------------------------------------------------------


def _alert_log(scene: Scene) -> None:
    address = scene.outputs

    def blocked(rule: str, source: str, destination: str) -> Callable[[Record], bool]:
        ends = (address[f"{source}Address"], address[f"{destination}Address"])
        return lambda record: (
            record["event"]["alert"]["signature"] == rule
            and record["event"]["alert"]["action"] == "blocked"
            and (record["event"]["src_ip"], record["event"]["dest_ip"]) == ends
        )

    wanted = {
        f'"{CARD_NUMBER}" (mongodb to web)': blocked(CARD_NUMBER, "Mongo", "Web"),
        f'"{KEPT_APART}" (web to web-dev)': blocked(KEPT_APART, "Web", "WebDev"),
        f'"{KEPT_APART}" (web-dev to web)': blocked(KEPT_APART, "WebDev", "Web"),
    }
    scene.log_has("alert log names the rule", address["AlertLogGroup"], wanted, alert_fields)


def _flow_log(scene: Scene) -> None:
    """A flow has a record per direction; the one towards the server stands for it."""

    def flow(instance: str, server: str, port: int) -> Callable[[Record], bool]:
        ends = (scene.outputs[f"{instance}Address"], scene.outputs[f"{server}Address"], port)
        return lambda record: (record["event"]["src_ip"], record["event"]["dest_ip"], record["event"].get("dest_port")) == ends

    wanted = {f"{name} to {server.lower()}": flow(instance, server, port) for instance, name in _CLIENTS for server, port in SERVERS.items()}
    scene.log_has("flow log has every connection", scene.outputs["FlowLogGroup"], wanted, flow_fields)


# -- the engines are killed ------------------------------------------------------------------------------------------------------------------


def _fail_closed(scene: Scene) -> None:
    """What counts is an attempt that began and ended while no engine ran."""
    engines = _Engines(scene)
    before = set(engines.pids())
    for _ in range(_PRESSES - 1):
        engines.kill()
        until(engines.all_run, _RETURN_SECONDS, pause=0.01)
    for _ in range(3):
        engines.kill()
        attempts = [
            scene.start("Web", curl("http://logging.example.com:5044/health", seconds=1)),
            scene.start("WebDev", connect("redis.example.com", SERVERS["Redis"], 1)),
            scene.start("Web", connect("mongodb.example.com", SERVERS["Mongo"], 1)),
        ]
        outcomes = [attempt.wait() for attempt in attempts]
        if engines.none_runs():
            break
    else:
        scene.add("firewall engines killed: HTTP, Redis, MongoDB", "nothing passes", "the engines came back before it could be tried", ok=False)
        return
    seen = "; ".join(observed(outcome) for outcome in outcomes)
    stopped = all(times_out().holds(outcome) for outcome in outcomes)
    scene.add(f"firewall engines killed ({len(before)}): HTTP, Redis, MongoDB", "all three time out", seen, stopped)
    back = until(engines.all_run, _RETURN_SECONDS) and not before & set(engines.pids())
    seen = "new engines run" if back else "the engines are not back"
    trial = curl("http://logging.example.com:5044/health", seconds=1)
    outcome = until(lambda: _good(scene.start("Web", trial).wait().out), _RETURN_SECONDS)
    scene.add("nobody starts them again: web, curl logging.example.com:5044", "they come back, 200", f"{seen}, {outcome or 'no answer'}", back and outcome)


def _good(printed: str) -> str:
    return "200" if printed.endswith("\n200") else ""


class _Engines:
    """The engines of the scenario's firewall, one per endpoint."""

    def __init__(self, scene: Scene) -> None:
        self._session = scene.session
        firewall = self._session.call("network-firewall:DescribeFirewall", {"FirewallArn": scene.outputs["FirewallArn"]})
        states = firewall["FirewallStatus"]["SyncStates"].values()
        self._names = {f"suricata-{state['Attachment']['EndpointId']}" for state in states}

    def kill(self) -> None:
        """Until the holder has seen their end."""
        killed = set(self.pids())
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not killed & set(self.pids()), 5, pause=0.01)

    def pids(self) -> list[int]:
        return [int(process["pid"]) for process in self._processes() if process["state"] == "running" and process["pid"]]

    def all_run(self) -> bool:
        return len(self.pids()) == len(self._names)

    def none_runs(self) -> bool:
        return not self.pids()

    def _processes(self) -> list[dict[str, Any]]:
        return [process for process in self._session.ask("status")["processes"] if process["name"] in self._names]
