"""Log delivery: each line once, whatever happens between reading and storing it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.region import Region

from latticewall.base.faults import Unavailable
from latticewall.control_plane.appliers import Appliers
from latticewall.control_plane.shipping import Shipper
from latticewall.control_plane.world import compile_snapshot
from latticewall.reconcile.loop import Loop

RULE = 'drop tcp any any -> any 80 (msg:"no web"; sid:7; rev:1;)'


class Lab:
    """A firewall that logs alerts and flows, and the file its engine would write."""

    def __init__(self, folder: Path) -> None:
        self.region = Region(folder)
        vpc = self.region.vpc()
        subnet = self.region.subnet(vpc)
        firewall = self.region.firewall
        group = firewall.create_rule_group(RuleGroupName="web", Type="STATEFUL", Capacity=10, Rules=RULE)["RuleGroupResponse"]["RuleGroupArn"]
        body = {
            "StatelessDefaultActions": ["aws:forward_to_sfe"], "StatelessFragmentDefaultActions": ["aws:forward_to_sfe"],
            "StatefulRuleGroupReferences": [{"ResourceArn": group}],
        }  # fmt: skip
        policy = firewall.create_firewall_policy(FirewallPolicyName="edge", FirewallPolicy=body)["FirewallPolicyResponse"]["FirewallPolicyArn"]
        made = firewall.create_firewall(FirewallName="gate", VpcId=vpc, SubnetMappings=[{"SubnetId": subnet}], FirewallPolicyArn=policy)
        self.region.settle()
        for kind in ("ALERT", "FLOW"):
            self.region.logs.create_log_group(logGroupName=f"/{kind.lower()}")
        wanted: list[dict[str, Any]] = []
        for kind in ("ALERT", "FLOW"):
            wanted = [*wanted, {"LogType": kind, "LogDestinationType": "CloudWatchLogs", "LogDestination": {"logGroup": f"/{kind.lower()}"}}]
            firewall.update_logging_configuration(FirewallArn=made["Firewall"]["FirewallArn"], LoggingConfiguration={"LogDestinationConfigs": wanted})
        self.loop = Loop(self.plan, (), lambda *_: None, lambda revision, _: revision)
        assert self.loop.round()
        (self.endpoint,) = self.plan().firewalls
        self.file = folder / "engines" / self.endpoint.endpoint_id / "eve.json"
        self.file.parent.mkdir(parents=True)
        places = SimpleNamespace(
            access_log=folder / "access.log", engine_logs=folder / "engines", reopen_access_log=lambda: None, reopen_engine_log=lambda _: None,
        )  # fmt: skip
        self.places = cast("Appliers", places)
        self.shipper = self.another()

    def plan(self) -> Any:
        with self.region.store.read() as snapshot:
            return compile_snapshot(snapshot, "2026-01-02T03:05:00.000Z")

    def another(self) -> Shipper:
        """As after a restart: nothing is known but what is stored."""
        return Shipper(self.region.app, self.places, self.loop, self.region.objects)

    def write(self, *events: dict[str, Any]) -> None:
        with self.file.open("a") as file:
            file.writelines(json.dumps(event) + "\n" for event in events)

    def alert(self, flow: int) -> dict[str, Any]:
        (signature,) = [item for item in self.endpoint.engine.signatures if item.message == "no web"]
        return {
            "timestamp": "2026-01-02T03:04:05.000000+0000", "flow_id": flow, "event_type": "alert", "src_ip": "10.0.1.7", "src_port": 40000 + flow,
            "dest_ip": "10.0.2.8", "dest_port": 80, "proto": "TCP", "verdict": {"action": "drop"},
            "alert": {"action": "blocked", "gid": signature.gid, "signature_id": signature.sid, "signature": signature.message, "severity": 3},
        }  # fmt: skip

    def delivered(self, group: str = "/alert") -> list[int]:
        """The flows of the records that are there."""
        events = self.region.logs.filter_log_events(logGroupName=group)["events"]
        return [json.loads(event["message"])["event"]["flow_id"] for event in events]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_an_alert_is_delivered_once_under_the_firewall_s_stream(lab: Lab) -> None:
    lab.write(lab.alert(1), lab.alert(2))
    for _ in range(3):
        lab.shipper.step()
    assert lab.delivered() == [1, 2]
    (stream,) = lab.region.logs.describe_log_streams(logGroupName="/alert")["logStreams"]
    assert stream["logStreamName"] == "/aws/network-firewall/alert/gate_2026-01-02-03"


def test_what_was_read_and_not_delivered_survives_a_restart(lab: Lab) -> None:
    lab.write(lab.alert(1), lab.alert(2))
    lab.shipper.step()
    assert lab.delivered() == [1], "the last packet is held back: more of its alerts may follow"
    again = lab.another()
    for _ in range(2):
        again.step()
    assert lab.delivered() == [1, 2]
    for _ in range(2):
        lab.another().step()
    assert lab.delivered() == [1, 2]


def test_a_delivery_that_is_not_stored_is_made_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write(lab.alert(1), lab.alert(2))

    def full(*_: Any) -> None:
        raise Unavailable("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(lab.shipper, "_deliver", full)
        with pytest.raises(Unavailable):
            lab.shipper.step()
    for _ in range(3):
        lab.shipper.step()
    assert lab.delivered() == [1, 2]


def test_flows_go_to_their_group_and_a_lost_group_holds_up_nothing(lab: Lab) -> None:
    flow = {"timestamp": "2026-01-02T03:04:06.000000+0000", "flow_id": 9, "event_type": "netflow", "src_ip": "10.0.1.7", "netflow": {"pkts": 2}}
    lab.region.logs.delete_log_group(logGroupName="/alert")
    lab.write(lab.alert(1), flow)
    for _ in range(2):
        lab.shipper.step()
    assert lab.delivered("/flow") == [9]


def test_an_idle_region_writes_nothing(lab: Lab) -> None:
    lab.write(lab.alert(1))
    for _ in range(2):
        lab.shipper.step()
    with lab.region.store.read() as snapshot:
        before = snapshot._db.execute("PRAGMA data_version").fetchone()
        changes = snapshot._db.total_changes
    lab.shipper.step()
    with lab.region.store.read() as snapshot:
        assert snapshot._db.execute("PRAGMA data_version").fetchone() == before
        assert snapshot._db.total_changes == changes
