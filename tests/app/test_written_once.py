"""What is written of a row is kept with it: answers are those of rows written anew, after every change, for everyone who asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest
from tests.app.test_access import allow, denied, policy
from tests.region import ACCOUNT, CATALOG, NAME, Region

from latticewall.auth.callers import key_row, known_key, root
from latticewall.base.identity_policies import identity_texts
from latticewall.base.rows import Row, Values, View
from latticewall.resources.verbs import Own, Shown
from latticewall.store import remembered
from latticewall.store.remembered import Remembered
from latticewall.wire import json_body

CALLER = root(ACCOUNT, NAME)
SERVICE = "vpc-lattice:Service"


def answered(region: Region, operation: str, params: Mapping[str, Any]) -> Any:
    """What a client is answered the second time, held against what the same call answers when nothing is kept."""
    model = CATALOG.operation(operation)
    assert model.output is not None
    with region.store.write() as tx:
        made = region.app.call_within(tx, CALLER, operation, params)  # a transaction that may write keeps nothing
    plain = json.loads(json_body.dump(json_body.write_members(model.output, made)))
    for _ in range(2):
        assert json.loads(json_body.body(model.output, region.app.ask(CALLER, model, params, "request"))) == plain
    return plain


def test_answers_follow_every_change(region: Region) -> None:
    lattice = region.lattice
    service = lattice.create_service(name="one")["id"]
    listener = lattice.create_listener(serviceIdentifier=service, name="web", protocol="HTTP", defaultAction={"fixedResponse": {"statusCode": 404}})["id"]
    match = {"httpMatch": {"pathMatch": {"match": {"prefix": "/a"}}}}
    action = {"fixedResponse": {"statusCode": 404}}
    rule = lattice.create_rule(serviceIdentifier=service, listenerIdentifier=listener, name="first", priority=1, match=match, action=action)["id"]
    group = lattice.create_target_group(name="targets", type="LAMBDA")["id"]
    network = lattice.create_service_network(name="net")["id"]
    below = {"serviceIdentifier": service, "listenerIdentifier": listener}
    changes: tuple[Callable[[], Any], ...] = (
        lambda: None,
        region.settle,
        lambda: lattice.update_service(serviceIdentifier=service, authType="AWS_IAM"),
        lambda: lattice.update_listener(**below, defaultAction={"fixedResponse": {"statusCode": 500}}),
        lambda: lattice.update_rule(**below, ruleIdentifier=rule, priority=7),
        lambda: lattice.create_service_network_service_association(serviceIdentifier=service, serviceNetworkIdentifier=network),
        lambda: lattice.tag_resource(resourceArn=lattice.get_service(serviceIdentifier=service)["arn"], tags={"team": "red"}),
        lambda: lattice.create_service(name="two"),
        region.settle,
        lambda: lattice.delete_rule(**below, ruleIdentifier=rule),
    )
    seen = []
    for change in changes:
        change()
        lists = [answered(region, f"vpc-lattice:List{name}", {}) for name in ("Services", "TargetGroups", "ServiceNetworks")]
        lists += [answered(region, "vpc-lattice:ListListeners", {"serviceIdentifier": service}), answered(region, "vpc-lattice:ListRules", below)]
        lists += [answered(region, "vpc-lattice:ListServices", {"maxResults": 1})]
        ones = [answered(region, "vpc-lattice:GetService", {"serviceIdentifier": service}), answered(region, "vpc-lattice:GetListener", below)]
        ones += [answered(region, "vpc-lattice:GetTargetGroup", {"targetGroupIdentifier": group})]
        seen.append((lists, ones))
    assert all(before != after for before, after in pairwise(seen))
    assert [item["status"] for item in lattice.list_services()["items"]] == ["ACTIVE", "ACTIVE"]
    assert lattice.get_service(serviceIdentifier=service)["authType"] == "AWS_IAM"


def test_what_is_kept_is_shown_only_to_who_may_see_it(region: Region) -> None:
    service = region.lattice.create_service(name="one")
    alice = region.as_user("vpc-lattice", policy(allow("vpc-lattice:Get*", "vpc-lattice:List*")))
    named, tagged = {"serviceIdentifier": service["id"]}, allow("vpc-lattice:GetService", StringEquals={"aws:ResourceTag/team": "red"})
    for _ in range(2):
        assert alice.list_services()["items"] == region.lattice.list_services()["items"]
        assert alice.get_service(**named)["name"] == "one"
        assert region.of("444455556666", "vpc-lattice").list_services()["items"] == []
        assert region.of(ACCOUNT, "vpc-lattice", "eu-north-8").list_services()["items"] == []
    region.as_user("vpc-lattice", policy(tagged))
    denied(alice.list_services)
    denied(alice.get_service, **named)
    region.lattice.tag_resource(resourceArn=service["arn"], tags={"team": "red"})
    assert alice.get_service(**named)["name"] == "one"
    region.lattice.tag_resource(resourceArn=service["arn"], tags={"team": "blue"})
    denied(alice.get_service, **named)


def test_what_is_kept_of_a_key_follows_its_row(region: Region) -> None:
    region.iam.create_user(UserName="alice")
    key = region.iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    states = []
    for state in ("Active", "Inactive", "Active"):
        region.iam.update_access_key(UserName="alice", AccessKeyId=key, Status=state)
        for _ in range(2):
            with region.store.view() as view:
                known = known_key(key_row(view.snapshot, key))
                assert known is not None
                states.append(known.active)
    assert states == [True, True, False, False, True, True]
    region.iam.delete_access_key(UserName="alice", AccessKeyId=key)
    with region.store.view() as view:
        assert known_key(key_row(view.snapshot, key)) is None


def test_policies_of_a_row_that_was_changed_are_the_changed_ones(region: Region) -> None:
    region.as_user("vpc-lattice", policy(allow("vpc-lattice:List*")))

    def texts(row: Row) -> tuple[str, ...]:
        return identity_texts(row, lambda _: None)

    with region.store.question() as tx:
        (first,), (second,), (third,) = (tx.rows("iam:User", name="alice") for _ in range(3))
        before = texts(first)
        assert len(before) == 1
        second.document["_inline"]["more"] = "text"
        assert set(texts(second)) == {*before, "text"}
        assert texts(third) == before
    region.iam.delete_user_policy(UserName="alice", PolicyName="only")
    with region.store.question() as tx:
        assert texts(tx.rows("iam:User", name="alice")[0]) == ()


def test_parts_of_what_is_shown_are_those_of_the_list(region: Region) -> None:
    for number in range(5):
        region.lattice.create_service(name=f"name-{number}")
    with region.store.question() as tx:
        ctx = region.app.context(tx, CALLER, "vpc-lattice", "ListServices", "request")
        shown, whole = (Shown(ctx, rows) for rows in (Own(ctx, SERVICE), ctx.live(SERVICE)))
        for part in (slice(0, 2), slice(2, 9), slice(None, 3), slice(3, None), slice(4, 1), slice(-2, None)):
            assert [dict(item) for item in shown[part]] == [dict(item) for item in whole[part]]


def test_what_one_changes_in_his_answer_nobody_else_sees(region: Region) -> None:
    region.lattice.create_service(name="one")
    mine = region.app.call(CALLER, "vpc-lattice:ListServices", {})
    before = json.dumps(mine)
    mine["items"][0]["dnsEntry"]["domainName"] = "changed"
    mine["items"][0]["name"] = "changed"
    assert json.dumps(region.app.call(CALLER, "vpc-lattice:ListServices", {})) == before


def test_what_is_made_of_a_row_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST", 2)
    known, made = Remembered(), []

    def shown(row: Row) -> dict[str, Any]:
        made.append(row.id)
        return {"id": row.id}

    stored = ("a:Thing", "1", "here", "t-1", *[""] * 4, "", 1, "", "", "{}", "{}")
    question = "SELECT", ("t-1",)

    def written() -> str:
        found = known.find("a:Thing", question, 1) or known.keep(question, 1, [stored])
        assert isinstance(found[0], Values)
        return View(found[0], shown).kept("id", lambda document: str(document["id"]))

    assert (written(), written(), made) == ("t-1", "t-1", ["t-1"])
    known.keep(("SELECT", ("t-2",)), 1, [stored])  # more than is kept: all is dropped
    written()
    assert made == ["t-1"] * 2
