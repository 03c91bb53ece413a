"""What a call asks the policies: its questions, without deciding them."""

from __future__ import annotations

from typing import Any

from tests.region import ACCOUNT, CATALOG, NAME, Region

from latticewall.auth.callers import root
from latticewall.control_plane.access.questions import Question, questions


def asked(region: Region, operation: str, **params: Any) -> list[Question]:
    """The questions of a call by the account's root."""
    model = CATALOG.operation(operation)
    with region.store.write() as tx:
        context = region.app.context(tx, root(ACCOUNT, NAME), model.service.name, model.name, "request")
        return list(questions(context, model, params))


def subjects(region: Region, operation: str, **params: Any) -> list[tuple[str, str]]:
    """(action, ARN) of the questions; what lies before the resource's own part of an ARN of this account is left out."""
    return [(one.action, one.resource.arn.split(":", 5)[-1]) for one in asked(region, operation, **params)]
