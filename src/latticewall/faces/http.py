"""The AWS endpoint: bytes in, one `App.call`, bytes out.

Every request is signed (Signature Version 4): the scope names the region and the service addressed. Who asks is `faces.authentication`'s to say.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import unquote

from latticewall.apimodel.catalog import Operation, Service
from latticewall.app import App, is_question
from latticewall.auth.sigv4 import S3
from latticewall.base.caller import Caller
from latticewall.base.faults import Denied, Fault, Pending, Unavailable
from latticewall.faces.authentication import Authentication, Signer
from latticewall.faces.s3_bodies import plain
from latticewall.store import Moved, MustWrite, Snapshot
from latticewall.wire.json_body import load
from latticewall.wire.message import HttpRequest, HttpResponse
from latticewall.wire.parse import parse
from latticewall.wire.route import identify, service_of
from latticewall.wire.scalars import Malformed
from latticewall.wire.serialise import serialise, serialise_fault

log = logging.getLogger(__name__)
INNER = "/_latticewall/"
DOWNLOADS = "/latticewall-downloads/"
"""Where presigned URLs that the region itself gives out lead (the code of a function)."""
FETCHES = 4
"""Attempts at one call: an identity provider is asked where its keys are, and for its keys; either answer may have to be fetched twice."""
QUICK_SECONDS = 0.005
"""Of the processor's time: what took longer the last time is not done where other connections have to wait for it."""
SHORT_SECONDS = 0.05
"""What took longer the last time does not share a transaction, in which all others have to wait for it."""
TOGETHER_SECONDS = 0.02
"""How long others join a transaction."""
UNSIGNED_INNER = ("health", "metrics")
"""Inner requests of programs that cannot sign: load balancers and Prometheus. They reach the host's loopback only, and say nothing but ids and numbers."""
TEXT = "text/plain; version=0.0.4; charset=utf-8"
SIGNING_NAME = "latticewall"
"""The service name that the command line signs inner requests for."""
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_OWN = (INNER, DOWNLOADS)
Call = Callable[[Caller, Operation, Mapping[str, Any], str], Mapping[str, Any]]
"""(caller, operation, parameters, request id) -> the output document."""
Inner = Callable[[str, Mapping[str, Any]], Any]
"""(path below /_latticewall/, parameters) -> a JSON value; raises UnknownInner for an unknown path."""


class UnknownInner(Exception):
    """There is no inner request at that path."""


class Known(NamedTuple):
    """What a request asks for, before anything has been verified. scope: the service that it says it is signed for."""

    operation: Operation
    scope: str


class Change(NamedTuple):
    """A request for a change that takes little time, and whose signature was verified. source_ip: where it comes from."""

    request: HttpRequest
    source_ip: str
    known: Known
    signer: Signer


@dataclass(frozen=True)
class Endpoint:
    """One region's HTTP face. account, region: whom open mode speaks for when the request does not say. inner: latticewall's own requests.

    catch_up: called before a question (Describe, Get, List) is answered, so that a waiter's first look sees what is already so. in_progress: whether it would
    wait. download: answers what is below DOWNLOADS, whose URLs carry their own proof.
    """

    app: App
    account: str
    region: str
    inner: Inner
    catch_up: Callable[[], None]
    open_mode: bool = False
    download: Callable[[str, Mapping[str, str]], HttpResponse] | None = None
    in_progress: Callable[[Snapshot], bool] = lambda _: True
    _quick: set[str] = field(default_factory=set)
    """Questions that took little time when they were last answered."""

    @cached_property
    def _authentication(self) -> Authentication:
        return Authentication(self.app, self.account, self.region, self.open_mode)

    def known(self, request: HttpRequest) -> Known | None:
        """The operation, if it took little time when it was last performed: `at_once` may answer if it is a question, `together` if not."""
        scope = _scope(request)
        try:
            operation = identify(self.app.catalog, request, scope) if scope and not request.raw_path.startswith(_OWN) else None
        except Fault:
            return None
        if operation is None or scope is None or operation.service.name == S3:  # whose objects are files
            return None
        name = operation.qualified_name
        is_short = name in self._quick if is_question(operation) else self.app.seconds.get(name, SHORT_SECONDS) < SHORT_SECONDS
        return Known(operation, scope) if is_short else None

    def at_once(self, request: HttpRequest, source_ip: str, known: Known) -> HttpResponse | None:
        """The answer to a question that can be given without waiting for anything; None when it cannot, and nothing has been done."""
        try:
            with self.app.store.view() as view:
                return self._answer(request, source_ip, self.app.ask, known) if view.is_on_disk and not self.in_progress(view.snapshot) else None
        except (Fault, Pending, Moved, MustWrite):
            return None

    def admitted(self, request: HttpRequest, source_ip: str, known: Known) -> Change | HttpResponse | None:
        """The change that a request asks for, or the refusal of one that is not authenticated, given where it was read: it takes no time of those who change
        something. None for what proves otherwise than by an access key who asks."""
        request_id = self.app.new_request_id()
        try:
            signer = self._authentication.signer(request)
            return Change(request, source_ip, known, signer) if signer else None
        except Fault as fault:
            return self._refusal(request, known.operation.service, fault, request_id)
        except Exception:
            log.exception("request %s failed", request_id)
            return self._broken(request, known.operation.service, request_id)

    def together(self, waiting: Callable[[], Sequence[Change]]) -> list[HttpResponse | None]:
        """Perform changes in one transaction, each as if it were alone; when there are answers, all of it is on the disk. waiting: the next ones, until there
        are none. The answers are in the order of the changes; None for one that needs something from outside: nothing has been done about it."""
        taken: list[Change] = []
        answers: list[HttpResponse | None] = []
        try:
            with self.app.store.together() as together:
                began = time.monotonic()

                def call(caller: Caller, operation: Operation, params: Mapping[str, Any], request_id: str) -> dict[str, Any]:
                    return self.app.call_together(together, caller, operation, params, request_id)

                while changes := waiting():
                    taken += changes
                    answers += [self._within(change, call) for change in changes]
                    if time.monotonic() - began > TOGETHER_SECONDS:
                        break
        except Fault as fault:
            return [self._refusal(change.request, None, fault, self.app.new_request_id()) for change in taken]
        except Exception:
            log.exception("%d requests failed together", len(taken))
            return [self._broken(change.request, None, self.app.new_request_id()) for change in taken]
        return answers

    def _within(self, change: Change, call: Call) -> HttpResponse | None:
        try:
            return self._answer(change.request, change.source_ip, call, change.known, change.signer)
        except (Pending, Moved, MustWrite):
            self.app.seconds.pop(change.known.operation.qualified_name, None)
            return None

    def answer(self, request: HttpRequest, source_ip: str) -> HttpResponse:
        """Handle one request; never raises."""
        if request.raw_path.startswith(INNER):
            return self._inner(request)
        if request.raw_path.startswith(DOWNLOADS) and self.download is not None:
            return self._download(request)
        return self._answer(request, source_ip, self._call)

    def _answer(self, request: HttpRequest, source_ip: str, call: Call, known: Known | None = None, signer: Signer | None = None) -> HttpResponse:
        """Raises nothing but what says that `call` cannot answer at once. known, signer: if they are."""
        request_id = self.app.new_request_id()
        service: Service | None = None
        try:
            who = self._authentication
            caller, signing_name = who.who_signed(request, signer) if signer else who.who(request)
            if signing_name == S3:
                request = plain(request)
            operation = known.operation if known and known.scope == signing_name else identify(self.app.catalog, request, signing_name)
            service = operation.service
            caller = caller.coming(source_ip, request.header("user-agent"), request.header("host"))
            params = parse(operation, request)
            if not is_question(operation) or operation.service.name == S3:  # whose objects are read from files
                return serialise(operation, call(caller, operation, params, request_id), request_id)
            began = time.thread_time()
            answer = serialise(operation, call(caller, operation, params, request_id), request_id)
            (self._quick.add if time.thread_time() - began < QUICK_SECONDS else self._quick.discard)(operation.qualified_name)
            return answer
        except (Pending, Moved, MustWrite):
            raise
        except Fault as fault:
            return self._refusal(request, service, fault, request_id)
        except Exception:
            log.exception("request %s failed", request_id)
            return self._broken(request, service, request_id)

    def _broken(self, request: HttpRequest, service: Service | None, request_id: str) -> HttpResponse:
        """What is said of a mistake of ours."""
        return replace(self._refusal(request, service, Fault("An internal error has occurred", code="InternalFailure"), request_id), status=500)

    def _refusal(self, request: HttpRequest, service: Service | None, fault: Fault, request_id: str) -> HttpResponse:
        """In the dialect of the service; while it is not known, of the one that fits."""
        return serialise_fault(service or self._service_hint(request) or self.app.catalog.service("sts"), fault, request_id)

    def _call(self, caller: Caller, operation: Operation, params: Mapping[str, Any], request_id: str) -> dict[str, Any]:
        """The answer; what the operation needs from outside is fetched between two attempts, while nothing is locked."""
        if is_question(operation):
            self.catch_up()
        for _ in range(FETCHES):
            try:
                return self.app.call(caller, operation.qualified_name, params, request_id)
            except Pending as pending:
                pending.fulfil()
        raise Unavailable("What the call needs from outside could not be fetched in time")

    def _service_hint(self, request: HttpRequest) -> Service | None:
        """The service whose error dialect fits, as the unverified scope, target, action or path names it."""
        return service_of(self.app.catalog, request, _scope(request))

    def _download(self, request: HttpRequest) -> HttpResponse:
        assert self.download is not None
        try:
            return self.download(request.raw_path, dict(request.query))
        except ValueError:  # what is no text has been signed by nobody
            return HttpResponse(403, (("content-type", "text/plain"),), b"Access Denied\n")

    def _inner(self, request: HttpRequest) -> HttpResponse:
        path = request.raw_path.removeprefix(INNER)
        try:
            if path not in UNSIGNED_INNER and not self.open_mode:
                caller, service = self._authentication.who_signs(request)
                if service != SIGNING_NAME or (caller.account, caller.principal_type) != (self.account, "Account"):
                    raise Denied("only the region's administrator may ask this", code="AccessDenied")
            params = load(request.body)
            if not isinstance(params, dict):
                raise Malformed("the body is no JSON object")
            answer = self.inner(path, params)
            return HttpResponse(200, (("content-type", TEXT),), answer.encode()) if path == "metrics" else _json(200, answer)
        except Fault as fault:
            return _json(fault.status, {"message": fault.message, "code": fault.code})
        except Malformed as error:
            return _json(400, {"message": f"malformed inner request `{path}`: {error}"})
        except RecursionError:
            return _json(400, {"message": f"malformed inner request `{path}`: the body is nested too deeply"})
        except UnknownInner:
            return _json(404, {"message": f"unknown inner request `{path}`"})
        except Exception:
            log.exception("inner request `%s` failed", path)
            return _json(500, {"message": "An internal error has occurred", "code": "InternalFailure"})


def _scope(request: HttpRequest) -> str | None:
    """The service that the request says it is signed for, not verified."""
    found = _SCOPE.search(request.header("authorization") or unquote(request.raw_query))
    return found[1] if found else None


def _json(status: int, value: Any) -> HttpResponse:
    return HttpResponse(status, (("content-type", "application/json"),), json.dumps(value, default=str).encode())
