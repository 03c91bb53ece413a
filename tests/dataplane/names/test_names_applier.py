"""The applier with the real process behind it."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from names_lab import Lab

from latticewall.dataplane.names import applier, config
from latticewall.dataplane.names.applier import NamesApplier, NamesFailed, NamesInForce
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.names import MetadataInstance, NamesPlan, Record, Resolver, Zone
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan
from latticewall.reconcile.applier import Failure, Report

pytestmark = pytest.mark.netns

ZONE = Zone("example.com.", (Record("web.example.com.", "A", 60, ("10.1.1.1",)),))
NAMES = NamesPlan(
    (Resolver("vpc-a", "vpc-a", ("10.0.0.2",), (ZONE,)),),
    (
        MetadataInstance("i-web", "vpc-a", ("10.0.0.10",), (("meta-data/instance-id", "i-web"),), "web"),
        MetadataInstance("i-plain", "vpc-a", ("10.0.0.11",), ()),
    ),
)


class Sequence:
    """Another key every time."""

    def __init__(self) -> None:
        self._made = 0

    def token_bytes(self, count: int) -> bytes:
        self._made += 1
        return bytes([self._made]) * count


def node(names: NamesPlan) -> NodePlan:
    return NodePlan(1, (), (), (), ProxyPlan(), AuthorizationPlan(), names, ())


def credentials(instance_id: str) -> Mapping[str, Any] | None:
    return {"Code": "Success", "AccessKeyId": f"ASIA-{instance_id}"}


def sign(document: str) -> Mapping[str, str]:
    return {"signature": f"of {document}"}


def apply(names: NamesApplier, plan: NamesPlan) -> Report:
    """Both appliers, one after the other."""
    return names.apply(node(plan)) + NamesInForce(names).apply(node(plan))


@pytest.fixture
def names(lab: Lab) -> NamesApplier:
    return NamesApplier(lambda: None, credentials, sign, Sequence(), lab.config)


def written(lab: Lab) -> config.Config:
    return config.decode(lab.config.read_bytes())


def test_a_plan_is_in_force_when_both_have_applied_it(lab: Lab, names: NamesApplier) -> None:
    apply(names, NamesPlan())
    report = apply(names, NAMES)
    assert (report.changed, report.failures) == (1, ())
    assert lab.run("i-a-10", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://169.254.169.254/") == "401"
    assert apply(names, NAMES).changed == 0


def test_only_roles_get_credentials_and_the_file_is_private(lab: Lab, names: NamesApplier) -> None:
    apply(names, NAMES)
    found = {instance_id: json.loads(secret.reveal()) for instance_id, secret in written(lab).credentials.items()}
    assert found == {"i-web": {"Code": "Success", "AccessKeyId": "ASIA-i-web"}}
    assert stat.S_IMODE(lab.config.stat().st_mode) == 0o600
    apply(NamesApplier(lambda: None, lambda _: None, sign, Sequence(), lab.config), NAMES)
    assert written(lab).credentials == {}


def test_identity_documents_are_signed(lab: Lab, names: NamesApplier) -> None:
    document = ("dynamic/instance-identity/document", "{}")
    signed = replace(NAMES.metadata[0], documents=(document, *NAMES.metadata[0].documents))
    apply(names, replace(NAMES, metadata=(signed, NAMES.metadata[1])))
    found = {item.instance_id: dict(item.documents) for item in written(lab).plan.metadata}
    assert found == {"i-web": {**dict(signed.documents), "dynamic/instance-identity/signature": "of {}"}, "i-plain": {}}


def test_the_token_key_outlives_the_control_plane(lab: Lab, names: NamesApplier) -> None:
    apply(names, NAMES)
    key = written(lab).token_key
    apply(NamesApplier(lambda: None, credentials, sign, Sequence(), lab.config), NamesPlan())
    assert written(lab).token_key == key


def test_what_is_not_served_is_reported_on_its_resource(names: NamesApplier) -> None:
    lost = replace(NAMES.resolvers[0], vpc_id="vpc-lost", namespace="vpc-lost")
    report = apply(names, replace(NAMES, resolvers=(*NAMES.resolvers, lost)))
    assert report.failures == (Failure("ec2:Vpc", "vpc-lost", "10.0.0.2:53: No such file or directory (vpc-lost)"),)


def test_a_process_that_does_not_follow_is_an_error(lab: Lab, names: NamesApplier, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NamesFailed, match=r"refuses .*not the name of a namespace"):
        apply(names, replace(NAMES, resolvers=(replace(NAMES.resolvers[0], namespace="../vpc-a"),)))
    lab.stop()
    monkeypatch.setattr(applier, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(NamesFailed, match="has not taken"):
        apply(names, replace(NAMES, metadata=()))
    monkeypatch.undo()
    nothing_written = NamesApplier(lambda: None, credentials, sign, Sequence(), lab.config)
    assert NamesInForce(nothing_written).apply(node(NAMES)) == Report(), "it is the other's error"
    restarted = NamesApplier(lab.start, credentials, sign, Sequence(), lab.config)
    assert apply(restarted, NAMES).failures == ()
