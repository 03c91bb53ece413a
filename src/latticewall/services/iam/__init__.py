"""AWS Identity and Access Management: roles, users, policies, instance profiles, access keys ("IAM API Reference").

Groups, login profiles, MFA, SAML and OIDC providers are not there yet.
"""

from __future__ import annotations

from latticewall.resources.kind import Service
from latticewall.services.iam import holders, instance_profiles, policies, users
from latticewall.services.iam.kinds import KINDS

SERVICE = Service("iam", KINDS, {**holders.OPERATIONS, **policies.OPERATIONS, **instance_profiles.OPERATIONS, **users.OPERATIONS})
