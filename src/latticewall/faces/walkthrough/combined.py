"""Scenario 3: HTTP and Redis over the service network, MongoDB and everything else through Transit Gateway and firewall."""

from __future__ import annotations

from collections.abc import Callable

from latticewall.faces.cli.problem import Problem
from latticewall.faces.walkthrough.centralized import ANN
from latticewall.faces.walkthrough.records import Record, flow_fields, resource_fields, service_fields
from latticewall.faces.walkthrough.scene import Scene
from latticewall.faces.walkthrough.service_network import CLIENTS, URL
from latticewall.faces.walkthrough.trials import Trial, answers, curl, http, prints, redis, set_and_get

SERVERS = {"Logging": 5044, "Redis": 6379, "Mongo": 27017}


def check(scene: Scene) -> None:
    """What goes which way. `check_logs` comes later, when flows have ended, and `service_network.same_addresses` is for the variant's own stack."""
    scene.await_servers(**SERVERS)
    scene.await_applied()
    counters = _Counters(scene)
    before = counters.read()
    scene.carry_out(
        *(Trial(f"{name}: curl logging.example.com:5044", instance, curl(URL), http(200)) for instance, name in CLIENTS),
        *(
            Trial(f"{name}: redis-cli, PING SET GET at redis.example.com", instance, redis("redis.example.com"), answers(name), set_and_get(name))
            for instance, name in CLIENTS
        ),
    )
    moved = counters.since(before)
    scene.add("meanwhile, bytes through firewall and Transit Gateway", "firewall 0, Transit Gateway 0", _words(moved), not any(moved.values()))
    before = counters.read()
    find = scene.client("people.py", "mongodb.example.com", "Ann")
    scene.carry_out(*(Trial(f"{name}: pymongo, insert and find at mongodb.example.com", instance, find, prints(ANN)) for instance, name in CLIENTS))
    moved = counters.since(before)
    scene.add("meanwhile, bytes through firewall and Transit Gateway", "both move", _words(moved), all(moved.values()))


def check_logs(scene: Scene) -> None:
    """Each way has its own log."""
    outputs = scene.outputs
    addresses = {name: outputs[f"{instance}Address"] for instance, name in CLIENTS}

    def request(address: str) -> Callable[[Record], bool]:
        return lambda record: record["responseCode"] == 200 and record["sourceIpPort"].startswith(f"{address}:")

    def connection(address: str) -> Callable[[Record], bool]:
        return lambda record: record["resourceIpPort"] == f"{outputs['RedisAddress']}:6379" and record["sourceIpPort"].startswith(f"{address}:")

    def flow(address: str) -> Callable[[Record], bool]:
        ends = (address, outputs["MongoAddress"], SERVERS["Mongo"])
        return lambda record: (record["event"]["src_ip"], record["event"]["dest_ip"], record["event"].get("dest_port")) == ends

    for check, group, made, lacking in (
        ("access log has every request", "ServiceLogGroup", request, service_fields),
        ("access log has every connection to Redis", "ResourceLogGroup", connection, resource_fields),
        ("flow log has every connection to MongoDB", "FlowLogGroup", flow, flow_fields),
    ):
        scene.log_has(check, outputs[group], {name: made(address) for name, address in addresses.items()}, lacking)
    ports = {record["event"].get("dest_port") for record in scene.logs.read(outputs["FlowLogGroup"])}
    others = sorted(str(port) for port in ports & {SERVERS["Logging"], SERVERS["Redis"]})
    scene.add("flow log, connections to logging and redis", "none", ", ".join(f"some to port {port}" for port in others) or "none", not others)
    scene.logs_show(*(outputs[group] for group in ("ServiceLogGroup", "ResourceLogGroup", "FlowLogGroup")))


class _Counters:
    """Bytes that entered the firewall's endpoints and passed the Transit Gateway."""

    def __init__(self, scene: Scene) -> None:
        self._session = scene.session
        firewall = self._session.call("network-firewall:DescribeFirewall", {"FirewallArn": scene.outputs["FirewallArn"]})
        endpoints = [state["Attachment"]["EndpointId"] for state in firewall["FirewallStatus"]["SyncStates"].values()]
        self._namespaces = {
            "firewall": [f"fw-{endpoint}" for endpoint in endpoints],
            "Transit Gateway": [scene.outputs["TransitGatewayId"]],
        }

    def read(self) -> dict[str, int]:
        """Raises Problem where nothing is counted, which would look like standing still."""
        return {part: sum(self._bytes(namespace) for namespace in namespaces) for part, namespaces in self._namespaces.items()}

    def since(self, before: dict[str, int]) -> dict[str, int]:
        return {part: total - before[part] for part, total in self.read().items()}

    def _bytes(self, namespace: str) -> int:
        found = self._session.ask("counters", {"namespace": namespace})
        if not found:
            raise Problem(f"namespace {namespace} has no counters")
        return sum(int(item["bytes"]) for item in found.values())


def _words(moved: dict[str, int]) -> str:
    return ", ".join(f"{part} {count}" for part, count in moved.items())
