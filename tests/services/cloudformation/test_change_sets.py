"""Change sets: what they say, and what executing them does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from .region import Region
from .test_stacks import group, subnet, template, vpc


def change_set(region: Region, body: dict[str, Any], kind: str = "UPDATE", name: str = "first") -> dict[str, Any]:
    region.stacks.create_change_set(StackName="demo", ChangeSetName=name, ChangeSetType=kind, TemplateBody=json.dumps(body))
    return dict(region.stacks.describe_change_set(StackName="demo", ChangeSetName=name))


def changes(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    listed = [change["ResourceChange"] for change in found["Changes"]]
    return {change["LogicalResourceId"]: (change["Action"], change.get("Replacement", "")) for change in listed}


def test_a_stack_is_created_by_a_change_set(region: Region) -> None:
    found = change_set(region, template(Vpc=vpc(), Subnet=subnet("10.0.1.0/24")), "CREATE")
    assert (found["Status"], found["ExecutionStatus"], region.status()) == ("CREATE_COMPLETE", "AVAILABLE", "REVIEW_IN_PROGRESS")
    assert changes(found) == {"Vpc": ("Add", ""), "Subnet": ("Add", "")}
    assert not region.runner.step()
    region.stacks.execute_change_set(StackName="demo", ChangeSetName="first")
    region.work()
    assert region.status() == "CREATE_COMPLETE"
    assert not region.stacks.list_change_sets(StackName="demo")["Summaries"]


def test_changes_are_told_before_they_are_made(region: Region) -> None:
    region.deploy(template(Vpc=vpc(), Web=group(80), Old=subnet("10.0.9.0/24"), Same=subnet("10.0.8.0/24")))
    after = template(Vpc=vpc(EnableDnsHostnames=True), Web=group(81), New=subnet("10.0.7.0/24"), Same=subnet("10.0.8.0/24"))
    found = change_set(region, after)
    assert changes(found) == {"Vpc": ("Modify", "False"), "Web": ("Modify", "False"), "New": ("Add", ""), "Old": ("Remove", "")}
    region.stacks.execute_change_set(ChangeSetName=found["ChangeSetId"])
    region.work()
    assert region.status() == "UPDATE_COMPLETE"
    assert set(region.resources()) == {"Vpc", "Web", "New", "Same"}


def test_replacement_reaches_what_hangs_on_it(region: Region) -> None:
    region.deploy(template(Vpc=vpc(), Subnet=subnet("10.0.1.0/24"), Web=group(80)))
    found = change_set(region, template(Vpc=vpc("10.0.0.0/17"), Subnet=subnet("10.0.1.0/24"), Web=group(80)))
    assert changes(found) == {"Vpc": ("Modify", "True"), "Subnet": ("Modify", "True"), "Web": ("Modify", "True")}
    region.stacks.delete_change_set(StackName="demo", ChangeSetName="first")
    region.stacks.delete_change_set(StackName="demo", ChangeSetName="first")
    with region.refused("ValidationError", "Stack with id nowhere does not exist"):
        region.stacks.delete_change_set(StackName="nowhere", ChangeSetName="first")
    with region.refused("ChangeSetNotFound", "ChangeSet [first] does not exist"):
        region.stacks.describe_change_set(StackName="demo", ChangeSetName="first")


def test_without_changes_it_fails_as_tools_expect(region: Region) -> None:
    region.deploy(template(Vpc=vpc()))
    found = change_set(region, template(Vpc=vpc()))
    assert (found["Status"], found["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert found["StatusReason"] == "The submitted information didn't contain changes. Submit different information to create a change set."
    with region.refused("InvalidChangeSetStatus"):
        region.stacks.execute_change_set(StackName="demo", ChangeSetName="first")
    with pytest.raises(WaiterError):
        region.stacks.get_waiter("change_set_create_complete").wait(StackName="demo", ChangeSetName="first", WaiterConfig={"Delay": 0, "MaxAttempts": 1})


def test_what_is_wrong_is_refused_at_once(region: Region) -> None:
    with region.refused("ValidationError", "Stack with id demo does not exist"):
        change_set(region, template(Vpc=vpc()))
    with region.refused("ValidationError", "Unresolved resource dependencies [Vpc]"):
        change_set(region, template(Subnet=subnet("10.0.1.0/24")), "CREATE")
    region.deploy(template(Vpc=vpc()))
    with region.refused("ValidationError", "already exists and cannot be created again"):
        change_set(region, template(Vpc=vpc()), "CREATE")
    change_set(region, template(Vpc=vpc(), More=vpc("10.1.0.0/16")))
    with region.refused("AlreadyExistsException"):
        change_set(region, template(Vpc=vpc(), More=vpc("10.1.0.0/16")))


def test_a_stack_under_review_can_be_deleted(region: Region) -> None:
    change_set(region, template(Vpc=vpc()), "CREATE")
    assert region.delete() == "DELETE_COMPLETE"
    assert not region.counts()


def test_its_template_can_be_read(region: Region) -> None:
    body = template(Vpc=vpc())
    change_set(region, body, "CREATE")
    assert region.stacks.get_template(StackName="demo", ChangeSetName="first")["TemplateBody"] == body
    assert "TemplateBody" not in region.stacks.get_template(StackName="demo")
