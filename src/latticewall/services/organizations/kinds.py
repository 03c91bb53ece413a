"""The kinds of AWS Organizations. All but accounts are stored under the management account.

`_path` of accounts and organizational units is the path of the container ("o-x/r-y/ou-z/"; a unit's ends in itself). `_policies` of roots, units and
accounts are the ids of the policies attached.
"""

from __future__ import annotations

from latticewall.resources.kind import Kind

ORGANIZATION = Kind(
    "organizations:Organization", id_member="Id", id_prefix="o-", arn_member="Arn", arn="arn:aws:organizations::{account}:organization/{id}", is_global=True
)
ROOT = Kind(
    "organizations:Root", id_member="Id", id_prefix="r-", arn_member="Arn", name_member="Name", arn="arn:aws:organizations::{account}:root/{parent}/{id}",
    is_global=True,
)  # fmt: skip
UNIT = Kind(
    "organizations:OrganizationalUnit", id_member="Id", id_prefix="ou-", arn_member="Arn", name_member="Name",
    arn="arn:aws:organizations::{account}:ou/{parent}/{id}", is_global=True,
)  # fmt: skip
ACCOUNT = Kind("organizations:Account", id_member="Id", arn_member="Arn", name_member="Name", is_global=True)
POLICY = Kind(
    "organizations:Policy", id_member="Id", id_prefix="p-", arn_member="Arn", name_member="Name",
    arn="arn:aws:organizations::{account}:policy/{parent}/{type}/{id}", is_global=True,
)  # fmt: skip
CREATION = Kind("organizations:CreateAccountStatus", id_member="Id", id_prefix="car-", is_global=True)
HANDSHAKE = Kind("organizations:Handshake", id_member="Id", id_prefix="h-", arn_member="Arn", is_global=True)
KINDS = (ORGANIZATION, ROOT, UNIT, ACCOUNT, POLICY, CREATION, HANDSHAKE)
