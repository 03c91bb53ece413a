"""The runner may be killed at any moment: another one continues, and nothing is made twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from latticewall.base.caller import Caller
from latticewall.resources.context import Context
from latticewall.services.cloudformation.runner import StackRunner
from latticewall.store import Transaction

from .region import CATALOG, Region, needs_suricata, walkthrough


class KilledError(BaseException):
    """What a test does to the runner; nothing may catch it."""


class DeadlyHome:
    """The App, in which the runner dies right after a call that it made, before the call's transaction ends: the first, the second, ... since it lived."""

    LIVES = (1, 2, 3, 5, 9, 14)

    def __init__(self, region: Region) -> None:
        self.region = region
        self.store = region.app.store
        self.catalog = CATALOG
        self.random, self.clock = region.app.random, region.app.clock
        self.deaths = self.calls = 0

    def call_within(self, tx: Transaction, caller: Caller, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.region.app.call_within(tx, caller, operation, params)
        self.calls += 1
        if self.calls == self.LIVES[self.deaths % len(self.LIVES)]:
            self.calls, self.deaths = 0, self.deaths + 1
            raise KilledError
        return answer

    def context(self, tx: Transaction, caller: Caller, service: str, operation: str, request_id: str) -> Context:
        return self.region.app.context(tx, caller, service, operation, request_id)


def work_and_die(region: Region, home: DeadlyHome) -> None:
    """Every step is taken by a new runner; data plane and runners take turns until neither has anything to do."""
    for _ in range(3000):
        try:
            if StackRunner(home).step():
                continue
        except KilledError:
            continue
        if not region.settle():
            return
    pytest.fail("the stack does not come to an end")


@pytest.mark.parametrize("scenario", [pytest.param("combined", marks=needs_suricata), "service-network"])
def test_nothing_is_made_twice(region: Region, scenario: str) -> None:
    region.deploy(walkthrough(scenario), "calm")
    calm = region.counts()
    region.delete("calm")
    home = DeadlyHome(region)
    stack = region.stacks.create_stack(StackName="stormy", TemplateBody=walkthrough(scenario), Capabilities=["CAPABILITY_IAM"])["StackId"]
    work_and_die(region, home)
    assert region.status("stormy") == "CREATE_COMPLETE", region.reasons("stormy")
    assert home.deaths > 10
    assert region.counts() == calm
    parameters = [{"ParameterKey": "ServersPath", "ParameterValue": "/elsewhere"}]
    region.stacks.update_stack(StackName="stormy", UsePreviousTemplate=True, Parameters=parameters, Capabilities=["CAPABILITY_IAM"])
    work_and_die(region, home)
    assert region.status("stormy") == "UPDATE_ROLLBACK_COMPLETE", "instances with fixed addresses cannot be replaced"
    assert region.counts() == calm
    region.stacks.delete_stack(StackName="stormy")
    work_and_die(region, home)
    assert region.status(stack) == "DELETE_COMPLETE"
    assert not region.counts()


def test_each_physical_id_has_one_creation_event(region: Region) -> None:
    home = DeadlyHome(region)
    region.stacks.create_stack(StackName="demo", TemplateBody=walkthrough("service-network"), Capabilities=["CAPABILITY_IAM"])
    work_and_die(region, home)
    initiated = [logical for logical, _, reason in region.events() if reason == "Resource creation Initiated"]
    assert len(initiated) == len(set(initiated)) == len(region.resources())
