"""Accounts outside of the organization are invited."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.region import Region

from .accounts import STRANGER, Sharing


@pytest.fixture
def sharing(region: Region) -> Sharing:
    return Sharing(region)


def invitation(sharing: Sharing, account: str = STRANGER) -> dict[str, Any]:
    (found,) = sharing.ram(account).get_resource_share_invitations()["resourceShareInvitations"]
    return dict(found)


def status(sharing: Sharing) -> str:
    (found,) = sharing.ram().get_resource_share_associations(associationType="PRINCIPAL")["resourceShareAssociations"]
    return str(found["status"])


def test_an_invited_account_sees_nothing_until_it_accepts_and_can_leave(region: Region, sharing: Sharing) -> None:
    network = sharing.network()["arn"]
    share = sharing.share(network, to=STRANGER)["resourceShareArn"]
    stranger, sent = sharing.ram(STRANGER), invitation(sharing)
    assert (sent["status"], sent["senderAccountId"], sent["receiverAccountId"]) == ("PENDING", sharing.owner, STRANGER)
    assert (status(sharing), sharing.seen(STRANGER)) == ("ASSOCIATING", [])
    pending = stranger.list_pending_invitation_resources(resourceShareInvitationArn=sent["resourceShareInvitationArn"])["resources"]
    assert [one["arn"] for one in pending] == [network]
    assert stranger.get_resource_shares(resourceOwner="OTHER-ACCOUNTS")["resourceShares"] == []
    with region.refused("ResourceShareInvitationArnNotFoundException"):
        sharing.ram(sharing.dev).accept_resource_share_invitation(resourceShareInvitationArn=sent["resourceShareInvitationArn"])
    stranger.accept_resource_share_invitation(resourceShareInvitationArn=sent["resourceShareInvitationArn"])
    assert (status(sharing), sharing.seen(STRANGER)) == ("ASSOCIATED", ["mesh"])
    with region.refused("ResourceShareInvitationAlreadyAcceptedException"):
        stranger.accept_resource_share_invitation(resourceShareInvitationArn=sent["resourceShareInvitationArn"])
    with region.refused("OperationNotPermittedException"):
        stranger.disassociate_resource_share(resourceShareArn=share, resourceArns=[network])
    stranger.disassociate_resource_share(resourceShareArn=share, principals=[STRANGER])
    assert sharing.seen(STRANGER) == []
    with region.refused("UnknownResourceException"):
        stranger.disassociate_resource_share(resourceShareArn=share, principals=[STRANGER])


def test_an_invitation_is_rejected_and_another_one_accepted(region: Region, sharing: Sharing) -> None:
    share = sharing.share(sharing.network()["arn"], to=STRANGER)["resourceShareArn"]
    stranger = sharing.ram(STRANGER)
    stranger.reject_resource_share_invitation(resourceShareInvitationArn=invitation(sharing)["resourceShareInvitationArn"])
    assert (status(sharing), sharing.seen(STRANGER)) == ("FAILED", [])
    with region.refused("ResourceShareInvitationAlreadyRejectedException"):
        stranger.accept_resource_share_invitation(resourceShareInvitationArn=invitation(sharing)["resourceShareInvitationArn"])
    sharing.ram().associate_resource_share(resourceShareArn=share, principals=[STRANGER])
    sent = [one for one in stranger.get_resource_share_invitations()["resourceShareInvitations"] if one["status"] == "PENDING"]
    stranger.accept_resource_share_invitation(resourceShareInvitationArn=sent[0]["resourceShareInvitationArn"])
    assert (status(sharing), sharing.seen(STRANGER)) == ("ASSOCIATED", ["mesh"])


def test_an_invitation_expires(region: Region, sharing: Sharing) -> None:
    sharing.share(sharing.network()["arn"], to=STRANGER)
    arn = invitation(sharing)["resourceShareInvitationArn"]
    region.clock.moment += timedelta(days=7, minutes=1)
    assert (invitation(sharing)["status"], status(sharing)) == ("EXPIRED", "FAILED")
    with region.refused("ResourceShareInvitationExpiredException"):
        sharing.ram(STRANGER).accept_resource_share_invitation(resourceShareInvitationArn=arn)


def test_accounts_of_the_organization_are_invited_while_sharing_within_it_is_disabled(region: Region) -> None:
    sharing = Sharing(region, enabled=False)
    sharing.share(sharing.network()["arn"], to=sharing.dev)
    arn = invitation(sharing, sharing.dev)["resourceShareInvitationArn"]
    sharing.ram(sharing.dev).accept_resource_share_invitation(resourceShareInvitationArn=arn)
    assert sharing.seen(sharing.dev) == ["mesh"]


def test_twenty_invitations_may_be_open(region: Region, sharing: Sharing) -> None:
    accounts = [str(500_000_000_000 + number) for number in range(21)]
    share = sharing.ram().create_resource_share(name="share", principals=accounts[:20])["resourceShare"]["resourceShareArn"]
    with region.refused("ResourceShareLimitExceededException"):
        sharing.ram().associate_resource_share(resourceShareArn=share, principals=accounts[20:])
    sharing.ram().disassociate_resource_share(resourceShareArn=share, principals=accounts[:1])
    sharing.ram().associate_resource_share(resourceShareArn=share, principals=accounts[20:])
