"""The one door: every face, stack and inner process performs an operation with `App.call`, and only here.

The order of a call is the design: parameters checked by the model, caller authorised, idempotency token replayed, then one transaction in
which the service's operation runs, and the answer paged. A refusal leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from latticewall.apimodel import constraints, pages
from latticewall.apimodel.catalog import Catalog, Operation
from latticewall.base.caller import Caller
from latticewall.base.faults import Conflict, Fault, Unsupported
from latticewall.base.ports import Clock, Random
from latticewall.base.rows import View
from latticewall.resources.context import Context
from latticewall.resources.kind import Answer, Document
from latticewall.resources.registry import Registry
from latticewall.resources.verbs import Shown
from latticewall.store import Moved, MustWrite, Store, Together, Transaction

Authorise = Callable[[Context, Operation, Mapping[str, Any]], None]
"""Raises Denied unless the context's caller may perform the operation with these parameters."""


QUESTIONS = ("Describe", "Get", "List", "Search")
"""How operations begin that hardly ever change anything."""


def is_question(operation: Operation) -> bool:
    """Whether an operation is tried without the right to write: the few that then turn out to need it are performed again, with it."""
    return operation.name.startswith(QUESTIONS)


class DryRun(Fault):
    """EC2's answer to a call that would have succeeded; undoes the transaction."""

    status = 412


def iso(moment: datetime) -> str:
    """A time as documents hold it: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


class App:
    """The region's operations over one store."""

    def __init__(
        self, store: Store, registry: Registry, catalog: Catalog, clock: Clock, random: Random, *, authorise: Authorise, ports: Mapping[str, Any] | None = None
    ) -> None:
        self.store = store
        self.registry = registry
        self.catalog = catalog
        self.clock = clock
        self.random = random
        self._authorise = authorise
        self._ports = {"catalog": catalog, **(ports or {})}
        self.seconds: dict[str, float] = {}
        """How long each operation that may write took the last time, from when it had the right to."""

    def call(self, caller: Caller, operation: str, params: Mapping[str, Any], request_id: str = "") -> Document:
        """Perform "service:Operation" and return its output document. Raises base.faults."""
        model = self.catalog.operation(operation)
        request_id = request_id or self.new_request_id()
        if is_question(model):
            with suppress(MustWrite):
                try:
                    return _plain(self.ask(caller, model, params, request_id))
                except Moved:
                    return _plain(self.ask(caller, model, params, request_id, certain=True))
        with self.store.write(caller.arn, request_id) as tx:
            return self._timed(tx, caller, model, params, request_id)

    def call_together(self, together: Together, caller: Caller, model: Operation, params: Mapping[str, Any], request_id: str) -> Document:
        """As call, in a transaction that others share: nobody may be told of the answer before all of them have ended."""
        with together.write(caller.arn, request_id) as tx:
            return self._timed(tx, caller, model, params, request_id)

    def ask(self, caller: Caller, model: Operation, params: Mapping[str, Any], request_id: str, *, certain: bool = False) -> Answer:
        """As call, for a question, without waiting for those who write; nobody changes the answer. Raises what `Store.question` does, besides."""
        with self.store.question(caller.arn, request_id, certain=certain) as tx:
            return self._perform(tx, caller, model, params, request_id, inner=False)

    def call_within(self, tx: Transaction, caller: Caller, operation: str, params: Mapping[str, Any]) -> Document:
        """As call, in a transaction that is open already: its effect and what else is written there are kept or lost together."""
        return _plain(self._perform(tx, caller, self.catalog.operation(operation), params, self.new_request_id(), inner=False))

    def context(self, tx: Transaction, caller: Caller, service: str, operation: str, request_id: str) -> Context:
        """A context for work that is not one client's call (settling, metadata credentials)."""

        def call(name: str, params: Mapping[str, Any]) -> Document:
            return _plain(self._perform(tx, caller, self.catalog.operation(name), params, request_id, inner=True))

        return Context(caller, tx, self.registry, self.random, service, operation, request_id, call, self._ports)

    def new_request_id(self) -> str:
        text = self.random.token_bytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _timed(self, tx: Transaction, caller: Caller, model: Operation, params: Mapping[str, Any], request_id: str) -> Document:
        began = time.monotonic()
        try:
            return _plain(self._perform(tx, caller, model, params, request_id, inner=False))
        finally:
            self.seconds[model.qualified_name] = time.monotonic() - began

    def _perform(self, tx: Transaction, caller: Caller, model: Operation, params: Mapping[str, Any], request_id: str, *, inner: bool) -> Answer:
        handler = self.registry.operation(model.service.name, model.name)
        if handler is None:
            raise Unsupported(f"latticewall does not support {model.service.name}:{model.name} yet", kind=f"{model.service.name}:{model.name}")
        constraints.verify(model, params)
        ctx = self.context(tx, caller, model.service.name, model.name, request_id)
        if not inner:
            self._authorise(ctx, model, params)
        token = _token_key(model, caller, params)
        digest = _digest(params) if token else ""
        if token and (known := tx.token(token)):
            return _replayed(model, known, digest)
        answer = handler(ctx, dict(params))
        if params.get("DryRun") and model.service.name == "ec2":
            raise DryRun("Request would have succeeded, but DryRun flag is set.", code="DryRunOperation")
        if token:
            tx.remember(token, digest, _plain(answer))
        return _paged(model, answer, params, f"{caller.account} {caller.region}")


def _token_key(model: Operation, caller: Caller, params: Mapping[str, Any]) -> str:
    token = next((str(params[member]) for member in model.idempotency_tokens if params.get(member)), "")
    return "|".join((caller.account, caller.region, model.qualified_name, token)) if token else ""


_sorted = json.JSONEncoder(sort_keys=True, default=str, check_circular=False).encode


def _digest(params: Mapping[str, Any]) -> str:
    return hashlib.sha256(_sorted(params).encode()).hexdigest()


def _replayed(model: Operation, known: tuple[str, Document], digest: str) -> Document:
    if known[0] != digest:
        named = "IdempotentParameterMismatchException" in model.service.errors
        code = "IdempotentParameterMismatch" if model.service.protocol == "ec2" else "IdempotentParameterMismatchException" if named else ""
        kind = f"{model.service.name}:{model.name.removeprefix('Create').removeprefix('Start')}"
        raise Conflict("The client token was already used with different parameters", code=code, kind=kind, id=str(known[1].get("id", "")))
    return known[1]


def _plain(answer: Answer) -> Document:
    """The document as who asked may change it."""
    return {member: _without_views(value) for member, value in (answer or {}).items()}


def _without_views(value: Any) -> Any:
    if isinstance(value, View):
        return value.document
    return [item.document if isinstance(item, View) else item for item in value] if isinstance(value, list) else value


def _paged(model: Operation, answer: Answer, params: Mapping[str, Any], owner: str) -> Answer:
    """One page of a list of owner's, where the operation pages by one token. A handler that pages by itself says so with the token, None on the last page."""
    page = pages.page_of(model)
    if page is None:
        if isinstance(answer, View):
            return answer
        whole = {member: list(value) for member, value in (answer or {}).items() if isinstance(value, Shown)}
        return {**answer, **whole} if whole else answer
    *outer, last = page.result.split(".")
    holder: Any = answer
    for name in outer:
        holder = holder.get(name) or {}
    items = holder.get(last)
    if page.output_token in answer:
        return {member: value for member, value in answer.items() if member != page.output_token or value is not None}
    if not isinstance(items, Sequence) or isinstance(items, str):
        return answer
    part = pages.paginate(model, items, params, owner=owner)
    return {**answer, **part}


