"""AWS Identity and Access Management ("IAM API Reference"): users, groups, roles, instance profiles, policies and access keys.

Passwords, MFA devices, SAML providers, server certificates and SSH keys are not there: a region has no console to sign in to.
"""

from __future__ import annotations

from latticewall.resources.kind import Handler, Service
from latticewall.services.iam import absent, access_keys, account, groups, instance_profiles, policies, providers, roles, service_linked_roles, simulate, users
from latticewall.services.iam.kinds import KINDS
from latticewall.services.iam.lists import in_pages

OPERATIONS: dict[str, Handler] = {
    **roles.OPERATIONS,
    **users.OPERATIONS,
    **groups.OPERATIONS,
    **policies.OPERATIONS,
    **instance_profiles.OPERATIONS,
    **access_keys.OPERATIONS,
    **providers.OPERATIONS,
    **service_linked_roles.OPERATIONS,
    **account.OPERATIONS,
    **simulate.OPERATIONS,
    **absent.OPERATIONS,
}
SERVICE = Service("iam", KINDS, {name: in_pages(handler) for name, handler in OPERATIONS.items()})
