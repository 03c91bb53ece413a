"""What the Lambda service asks of the outside (the port `functions`): packages as files, runtimes of this machine, invocations."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from latticewall.base.caller import Caller
from latticewall.base.ports import Clock, Random
from latticewall.dataplane.functions.door import NoAnswer, ask
from latticewall.dataplane.functions.pool import Invocation
from latticewall.dataplane.functions.programs import missing
from latticewall.dataplane.functions.unpack import LARGEST_UNPACKED, TOO_LARGE, BadPackage, check
from latticewall.faces.http import DOWNLOADS
from latticewall.wire.message import HttpResponse

LOCATION_LIFE = timedelta(minutes=10)
LONGEST_SECONDS = 900 + 30
"""How long an invocation may take, its environment's start included."""
UNHEARD_SECONDS = 5.0
"""How long a version or alias that the process has not heard of yet is asked for again: it may have been made just now."""
_NAME = frozenset("0123456789abcdef")


class FunctionsPort:
    """state: the functions' folder in the region's state. door: the functions process's socket."""

    def __init__(self, state: Path, door: Path, clock: Clock, random: Random) -> None:
        self._packages = state / "packages"
        self._door = door
        self._clock = clock
        self._key = _kept_key(state, random)
        self._outcomes: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    # -- packages ---------------------------------------------------------------------------------------------------------------------

    def refusal_of_runtime(self, runtime: str) -> str:
        return missing(runtime)

    def keep(self, pieces: Iterable[bytes]) -> tuple[str, int]:
        """The package's digest and size in bytes; when this returns it is on disk, whatever happens then. Raises ValueError saying why it cannot be a
        function's code."""
        digest, size = hashlib.sha256(), 0
        draft = self._packages / f"{threading.get_ident()}.new"
        try:
            with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as stream:
                for piece in pieces:
                    size += len(piece)
                    if size > LARGEST_UNPACKED:
                        raise BadPackage(TOO_LARGE)
                    digest.update(piece)
                    stream.write(piece)
                check(stream)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(self._packages / f"{digest.hexdigest()}.zip")
        finally:
            draft.unlink(missing_ok=True)
        return digest.hexdigest(), size

    def location(self, caller: Caller, digest: str, now: datetime) -> str:
        """A URL at the address at which the caller reaches the region, good for ten minutes."""
        expires = str(int((now + LOCATION_LIFE).timestamp()))
        return f"http://{caller.host or '127.0.0.1:4566'}{DOWNLOADS}{digest}?{urlencode({'Expires': expires, 'Signature': self._sign(digest, expires)})}"

    def download(self, path: str, query: Mapping[str, str]) -> HttpResponse:
        """The package that such a URL names."""
        digest, expires = path.removeprefix(DOWNLOADS), query.get("Expires", "")
        right = set(digest) <= _NAME and hmac.compare_digest(self._sign(digest, expires).encode(), query.get("Signature", "").encode())
        if not right or not expires.isdecimal() or int(expires) < self._clock.now().timestamp():
            return HttpResponse(403, (("content-type", "text/plain"),), b"Access Denied\n")
        try:
            return HttpResponse(200, (("content-type", "application/zip"),), (self._packages / f"{digest}.zip").read_bytes())
        except FileNotFoundError:
            return HttpResponse(404, (("content-type", "text/plain"),), b"Not Found\n")

    def _sign(self, digest: str, expires: str) -> str:
        return hmac.new(self._key, f"{digest}:{expires}".encode(), hashlib.sha256).hexdigest()

    # -- invocations ------------------------------------------------------------------------------------------------------------------

    def outcome(self, request_id: str) -> dict[str, Any] | None:
        """What `invoke` brought for this call, once; None before."""
        with self._lock:
            return self._outcomes.pop(request_id, None)

    def invoke(self, request_id: str, function: str, qualifier: str, arn: str, event: bytes, client_context: Any, *, asynchronous: bool) -> None:
        """Ask the functions process, and keep the answer for `outcome`. Blocks as long as the function runs."""
        wanted = Invocation(function, qualifier, arn, request_id, event, client_context)
        until = time.monotonic() + UNHEARD_SECONDS
        while True:
            try:
                answer = ask(self._door, wanted, asynchronous=asynchronous, seconds=LONGEST_SECONDS)
            except NoAnswer as error:
                answer = {"refused": "ServiceException", "message": str(error)}
            if answer.get("refused") != "ResourceNotFoundException" or time.monotonic() > until:
                break
            time.sleep(0.05)
        with self._lock:
            self._outcomes[request_id] = answer


def _kept_key(state: Path, random: Random) -> bytes:
    """Signs locations; made once per region."""
    file = state / "location.key"
    if not file.exists():
        draft = file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(random.token_bytes(32))
        draft.replace(file)
    return file.read_bytes()
