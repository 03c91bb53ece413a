"""A master password as PostgreSQL keeps it: a SCRAM-SHA-256 verifier (RFC 5803), from which nobody can log in and the password cannot be read back.

So that the password itself is nowhere: not in the region's store, not in a file, not in a statement to the server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from latticewall.base.ports import Random
from latticewall.services.rds import text

ITERATIONS = 4096
SALT_BYTES = 16
_PASSWORD = re.compile(r"[!#-.0-?A-~]{8,128}")
"""Printable ASCII but "/", double quotes, "@" and spaces ("CreateDBInstance")."""


def check(password: str) -> str:
    if not _PASSWORD.fullmatch(password):
        message = "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used, 8 to 128"
        raise text.invalid("MasterUserPassword", message)
    return password


def verifier(password: str, random: Random) -> str:
    """ "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey". The password is ASCII, which SASLprep leaves as it is."""
    salt = random.token_bytes(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(one).decode() for one in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
