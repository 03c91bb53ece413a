"""Expectations that are kept in the region, so that PutAuthPolicy can be made to require them: no tag ever names a file of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.app import App
from latticewall.base.faults import Invalid, NotFound
from latticewall.base.policy_tests import KIND, NAME
from latticewall.base.rows import Row
from latticewall.policy.expectations_file import Misread, read_expectations


class PolicyTests:
    """The inner request `policy-tests`. account, region: where they are kept unless the request says otherwise."""

    def __init__(self, app: App, account: str, region: str) -> None:
        self._app = app
        self._account = account
        self._region = region

    def __call__(self, params: Mapping[str, Any]) -> Any:
        """{"action": "put" | "get" | "list" | "delete", "name", "text", "account"?, "region"?}."""
        place = str(params.get("account") or self._account), str(params.get("region") or self._region)
        action = str(params.get("action"))
        if action == "list":
            return self._list(*place)
        name = str(params.get("name") or "")
        if action == "put":
            return self._put(name, str(params.get("text") or ""), *place)
        if action not in ("get", "delete"):
            raise Invalid(f"policy-tests can put, get, list and delete, not `{action}`")
        with self._app.store.read() as snapshot:
            row = snapshot.get(KIND, name, *place)
        if row is None:
            raise NotFound(f"no policy tests named `{name}` are kept in {place[1]} of account {place[0]}")
        if action == "delete":
            with self._app.store.write("latticewall", "policy tests") as tx:
                tx.delete(row)
        return _shown(row, whole=action == "get")

    def _put(self, name: str, text: str, account: str, region: str) -> dict[str, Any]:
        """Stored only when they can be read as they stand: they may not name files."""
        if not NAME.match(name):
            raise Invalid(f"`{name}` is not a name of policy tests: up to 128 letters, digits and . _ -")
        try:
            tests = read_expectations(text).tests
        except Misread as problem:
            raise Invalid(f"the policy tests cannot be read: {problem}") from None
        with self._app.store.write("latticewall", "policy tests") as tx:
            row = tx.put(Row(KIND, account, region, name, name=name, document={"_text": text, "tests": len(tests)}))
        return _shown(row, whole=False)

    def _list(self, account: str, region: str) -> list[dict[str, Any]]:
        with self._app.store.read() as snapshot:
            rows = snapshot.rows(KIND, account=account, region=region)
        return [_shown(row, whole=False) for row in sorted(rows, key=lambda row: row.id)]


def _shown(row: Row, *, whole: bool) -> dict[str, Any]:
    found = {"name": row.id, "tests": row.document["tests"], "updated_at": row.updated_at}
    return {**found, "text": row.document["_text"]} if whole else found
