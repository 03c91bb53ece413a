"""The tree: units within units, accounts moved about in it, and what conditions see of it."""

from __future__ import annotations

from tests.region import ACCOUNT, Region

from .organization import account, organization, root_of, unit


def test_a_tree_of_units(region: Region) -> None:
    made = organization(region)
    root = root_of(region)
    client = region.organizations
    production = unit(region, root, "production")
    assert client.describe_organizational_unit(OrganizationalUnitId=production)["OrganizationalUnit"] == {
        "Id": production, "Name": "production", "Arn": f"arn:aws:organizations::{ACCOUNT}:ou/{made['Id']}/{production}",
    }  # fmt: skip
    assert production.startswith("ou-" + root.removeprefix("r-") + "-")
    with region.refused("DuplicateOrganizationalUnitException"):
        unit(region, root, "production")
    inner = unit(region, production, "production")
    assert [one["Id"] for one in client.list_organizational_units_for_parent(ParentId=production)["OrganizationalUnits"]] == [inner]
    assert client.list_parents(ChildId=inner)["Parents"] == [{"Id": production, "Type": "ORGANIZATIONAL_UNIT"}]
    assert client.list_parents(ChildId=production)["Parents"] == [{"Id": root, "Type": "ROOT"}]
    assert client.update_organizational_unit(OrganizationalUnitId=inner, Name="web")["OrganizationalUnit"]["Name"] == "web"
    assert client.list_children(ParentId=production, ChildType="ORGANIZATIONAL_UNIT")["Children"] == [{"Id": inner, "Type": "ORGANIZATIONAL_UNIT"}]
    with region.refused("OrganizationalUnitNotEmptyException"):
        client.delete_organizational_unit(OrganizationalUnitId=production)
    client.delete_organizational_unit(OrganizationalUnitId=inner)
    client.delete_organizational_unit(OrganizationalUnitId=production)
    with region.refused("OrganizationalUnitNotFoundException"):
        client.describe_organizational_unit(OrganizationalUnitId=production)
    with region.refused("ParentNotFoundException"):
        client.list_children(ParentId=production, ChildType="ACCOUNT")
    with region.refused("ChildNotFoundException"):
        client.list_parents(ChildId=production)


def test_five_levels_and_no_more(region: Region) -> None:
    organization(region)
    holder = root_of(region)
    for level in range(5):
        holder = unit(region, holder, f"level {level}")
    with region.refused("ConstraintViolationException") as said:
        unit(region, holder, "too deep")
    assert said["Reason"] == "OU_DEPTH_LIMIT_EXCEEDED"


def test_accounts_move(region: Region) -> None:
    made = organization(region)
    root = root_of(region)
    production, member = unit(region, root, "production"), account(region)
    client = region.organizations
    for source in (production, "ou-0000-00000000"):
        with region.refused("SourceParentNotFoundException"):
            client.move_account(AccountId=member, SourceParentId=source, DestinationParentId=production)
    with region.refused("DestinationParentNotFoundException"):
        client.move_account(AccountId=member, SourceParentId=root, DestinationParentId="ou-0000-00000000")
    with region.refused("DuplicateAccountException"):
        client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=root)
    client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=production)
    assert client.list_parents(ChildId=member)["Parents"] == [{"Id": production, "Type": "ORGANIZATIONAL_UNIT"}]
    assert [one["Id"] for one in client.list_accounts_for_parent(ParentId=production)["Accounts"]] == [member]
    assert [one["Id"] for one in client.list_accounts_for_parent(ParentId=root)["Accounts"]] == [ACCOUNT]
    assert client.list_children(ParentId=production, ChildType="ACCOUNT")["Children"] == [{"Id": member, "Type": "ACCOUNT"}]
    with region.store.read() as snapshot:
        row = snapshot.get("organizations:Account", member)
    assert row is not None
    assert row.document["_path"] == f"{made['Id']}/{root}/{production}/"
    with region.refused("OrganizationalUnitNotEmptyException"):
        client.delete_organizational_unit(OrganizationalUnitId=production)


def test_tags_of_everything_in_the_tree(region: Region) -> None:
    organization(region)
    root = root_of(region)
    production = region.organizations.create_organizational_unit(ParentId=root, Name="production", Tags=[{"Key": "tier", "Value": "1"}])
    for resource in (root, production["OrganizationalUnit"]["Id"], account(region)):
        region.organizations.tag_resource(ResourceId=resource, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        region.organizations.untag_resource(ResourceId=resource, TagKeys=["a", "tier"])
        assert region.organizations.list_tags_for_resource(ResourceId=resource)["Tags"] == [{"Key": "b", "Value": "2"}]
    with region.refused("TargetNotFoundException"):
        region.organizations.list_tags_for_resource(ResourceId="ou-0000-00000000")
