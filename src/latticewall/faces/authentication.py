"""Who sends a request: its signature verified, and the principal behind the access key.

In open mode any access key is accepted unverified; a 12-digit key names the account, every other one the region's own. Two calls obtain credentials and so
need none: one bears an identity token instead of a signature, the other is signed with the key of an X.509 certificate.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from latticewall.app import App
from latticewall.auth.callers import caller_with, key_row, known_key, root
from latticewall.auth.canonical import Head
from latticewall.auth.certificate_signature import CERTIFICATE, has_certificate_signature, verify_certificate_signature
from latticewall.auth.signature import is_signed
from latticewall.auth.sigv4 import KnownKey, Verified, read_signature, verify
from latticewall.base.caller import Caller
from latticewall.base.faults import Denied, Fault
from latticewall.base.rows import Row
from latticewall.store import Moved, Snapshot
from latticewall.wire.message import HttpRequest
from latticewall.wire.route import identify

UNSIGNED = "sts:AssumeRoleWithWebIdentity"
_ACCOUNT = re.compile(r"\d{12}")
_Found = TypeVar("_Found")
Who = tuple[Caller, str | None]
"""The caller, and the service that the request was signed for; None without a signature in open mode."""


class Signer(NamedTuple):
    """Whose signature a request has. key: what was on record for the access key when it was verified."""

    verified: Verified
    key: KnownKey | None


@dataclass(frozen=True)
class Authentication:
    """account, region: whom open mode speaks for when the request does not say. All raise the faults of authentication."""

    app: App
    account: str
    region: str
    open_mode: bool

    def who(self, request: HttpRequest) -> Who:
        """Who asks, whatever proves it."""
        head = _head(request)
        if has_certificate_signature(head):
            certified = verify_certificate_signature(head, request.body, self.app.clock.now())
            return Caller("", certified.region, f"x509:{certified.fingerprint}", certified.fingerprint, CERTIFICATE), certified.service
        if not is_signed(head) and self._bears_token(request):
            return Caller("", self.region, "", "", "Anonymous"), "sts"
        return self.who_signs(request)

    def who_signs(self, request: HttpRequest) -> Who:
        """As `who`, of a request with the signature of an access key, or in open mode of any."""
        head = _head(request)
        return self._looked_up(lambda snapshot: self._caller(snapshot, *self._verified(head, request.body, snapshot)))

    def signer(self, request: HttpRequest) -> Signer | None:
        """Who has signed, for a request that will be performed later; None where something else than an access key says who asks."""
        head = _head(request)
        if has_certificate_signature(head) or not is_signed(head):
            return None

        def look(snapshot: Snapshot) -> Signer:
            verified, row = self._verified(head, request.body, snapshot)
            return Signer(verified, known_key(row))

        return self._looked_up(look)

    def who_signed(self, request: HttpRequest, signer: Signer) -> Who:
        """As `who`, by now: if the key is not on record any more as it was, the signature is verified anew."""

        def look(snapshot: Snapshot) -> Who:
            row = key_row(snapshot, signer.verified.access_key_id)
            same = known_key(row) == signer.key
            return self._caller(snapshot, *((signer.verified, row) if same else self._verified(_head(request), request.body, snapshot)))

        return self._looked_up(look)

    def _looked_up(self, look: Callable[[Snapshot], _Found]) -> _Found:
        try:
            with self.app.store.view() as view:
                return look(view.snapshot)
        except Moved:
            with self.app.store.view(certain=True) as view:
                return look(view.snapshot)

    def _bears_token(self, request: HttpRequest) -> bool:
        """Whether the request asks for the one operation whose parameters authenticate it."""
        try:
            return identify(self.app.catalog, request, "sts").qualified_name == UNSIGNED
        except Fault:
            return False

    def _verified(self, head: Head, body: bytes, snapshot: Snapshot) -> tuple[Verified, Row | None]:
        """With the stored key."""
        if self.open_mode:
            if not is_signed(head):
                return Verified(self.account, self.region, ""), None
            signature = read_signature(head)
            return Verified(signature.access_key_id, signature.region, signature.service), key_row(snapshot, signature.access_key_id)
        row: Row | None = None

        def look_up(access_key_id: str) -> KnownKey | None:
            nonlocal row
            row = key_row(snapshot, access_key_id)
            return known_key(row)

        return verify(head, body, look_up, self.app.clock.now()), row

    def _caller(self, snapshot: Snapshot, verified: Verified, row: Row | None) -> Who:
        caller = caller_with(snapshot, row, verified.region)
        if caller is None and not self.open_mode:
            raise Denied("The security token included in the request is invalid.", code="InvalidClientTokenId")
        if caller is None:
            account = verified.access_key_id if _ACCOUNT.fullmatch(verified.access_key_id) else self.account
            caller = root(account, verified.region, verified.access_key_id)
        return caller, verified.service or None


def _head(request: HttpRequest) -> Head:
    return Head(request.method, request.raw_path + (f"?{request.raw_query}" if request.raw_query else ""), request.headers)
