"""AWS Security Token Service: who am I, becoming a role, sessions of users and of people federated by them ("STS API Reference").

SAML, root sessions of member accounts, delegated access and outbound web identity tokens are not there. The account's root may assume roles here,
which AWS refuses: it is the one identity a fresh region has.
"""

from __future__ import annotations

from latticewall.auth.authorization_message import KIND as MESSAGE_KEY
from latticewall.resources.kind import Kind, Service
from latticewall.services.sts import assume_role, identity, user_sessions, web_identity

SESSION = Kind("sts:Session", id_prefix="ASIA", is_global=True)
KINDS = (SESSION, Kind(MESSAGE_KEY, is_global=True))
SERVICE = Service("sts", KINDS, {**assume_role.OPERATIONS, **web_identity.OPERATIONS, **user_sessions.OPERATIONS, **identity.OPERATIONS})
