"""RDS's rows as the world sees them."""

from __future__ import annotations

from ipaddress import IPv4Address

from latticewall.base.rows import Row
from latticewall.base.secret import Secret
from latticewall.world.from_rows.rows import Rows, text
from latticewall.world.types import Database

STOPPED = ("stopping", "stopped")


def build_databases(rows: Rows) -> tuple[Database, ...]:
    return tuple(_database(row) for row in rows.of("rds:DBInstance"))


def _database(row: Row) -> Database:
    document = row.document
    return Database(
        id=row.id, arn=row.arn, vpc_id=document["_vpc"], subnet_id=document["_subnet"], interface_id=document["_interface"],
        address=IPv4Address(document["_address"]), name=document["_endpoint"]["Address"], port=int(document["_endpoint"]["Port"]),
        engine_version=document["EngineVersion"], master=document["MasterUsername"], verifier=Secret(document["_verifier"]),
        initial=text(document.get("DBName")), boot=document["_boot"], running=row.status not in STOPPED,
    )  # fmt: skip
