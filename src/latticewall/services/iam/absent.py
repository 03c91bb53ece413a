"""Ways to sign in that no user here has, so that asking for them is answered truthfully: there are none.

Terraform's `force_destroy` and tools that empty an account ask for all of them. What would make one (CreateLoginProfile, EnableMFADevice ...) is not
there.
"""

from __future__ import annotations

from latticewall.base.faults import NotFound
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam.access_keys import key_owner

OF_USERS = {
    "ListMFADevices": "MFADevices", "ListSSHPublicKeys": "SSHPublicKeys", "ListSigningCertificates": "Certificates",
    "ListServiceSpecificCredentials": "ServiceSpecificCredentials",
}  # fmt: skip
OF_ACCOUNTS = {
    "ListVirtualMFADevices": "VirtualMFADevices", "ListServerCertificates": "ServerCertificateMetadataList", "ListSAMLProviders": "SAMLProviderList",
}  # fmt: skip
"""Operation -> the empty list that it answers."""


def _none_of_user(member: str) -> Handler:
    def handler(ctx: Context, params: Document) -> Document:
        key_owner(ctx, params)
        return {member: [], "IsTruncated": False}

    return handler


def _none(member: str) -> Handler:
    return lambda _, __: {member: [], "IsTruncated": False}


def no_login_profile(ctx: Context, params: Document) -> Document:
    user = key_owner(ctx, params)
    raise NotFound(f"Login Profile for User {user.name if user else 'root'} cannot be found.", code="NoSuchEntity")


OPERATIONS: dict[str, Handler] = {
    **{operation: _none_of_user(member) for operation, member in OF_USERS.items()},
    **{operation: _none(member) for operation, member in OF_ACCOUNTS.items()},
    **dict.fromkeys(("GetLoginProfile", "UpdateLoginProfile", "DeleteLoginProfile"), no_login_profile),
}
