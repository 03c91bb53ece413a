"""Database servers: processes in their own namespaces."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.base.secret import Secret


@dataclass(frozen=True)
class DatabasePlan:
    """A PostgreSQL server that runs. id: of the DB instance. major: the version whose programs it runs, because its files are of that version. name: the host
    name that its certificate is for. verifier: of the master user's password. initial: the database to make the first time, "" for none.
    boot: changes when it must start again."""

    id: str
    namespace: str
    major: int
    name: str
    port: int
    master: str
    verifier: Secret
    initial: str
    boot: str
