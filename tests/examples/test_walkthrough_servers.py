"""The servers of the walkthrough, each as its own process, asked by real clients."""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, ObjectId, Regex, Timestamp
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError, OperationFailure
from template_loader import WALKTHROUGH

Start = Callable[..., int]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts a server file on a free port of the loopback; gives the port once the server says that it listens."""
    processes: list[subprocess.Popen[str]] = []

    def begin(server: str, *arguments: str) -> int:
        command = [sys.executable, str(WALKTHROUGH / "servers" / server), "--host", "127.0.0.1", "--port", "0", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        found = re.search(r":(\d+)$", process.stdout.readline())
        assert found is not None, f"{server} did not start"
        return int(found[1])

    yield begin
    for process in processes:
        process.terminate()
        process.communicate(timeout=10)


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    return answer.status, json.loads(text) if answer.getheader("Content-Type") == "application/json" else text


@pytest.fixture
def logging_service(start: Start) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", start("logging_service.py"), timeout=10)
    yield connection
    connection.close()


def test_what_is_posted_comes_back_over_one_connection(logging_service: http.client.HTTPConnection) -> None:
    assert ask(logging_service, "GET", "/") == (200, {"count": 0, "received": 0, "entries": []})
    first = logging_service.sock
    assert ask(logging_service, "POST", "/", b'{"level": "info"}') == (201, {"stored": 1})
    assert ask(logging_service, "POST", "/?x=1", b"plain \xff words") == (201, {"stored": 2})
    assert ask(logging_service, "POST", "/", iter([b'["chunk', b'ed"]'])) == (201, {"stored": 3})
    status, kept = ask(logging_service, "GET", "/")
    assert (status, kept["count"], [entry["body"] for entry in kept["entries"]]) == (200, 3, [{"level": "info"}, "plain \ufffd words", ["chunked"]])
    assert {entry["from"] for entry in kept["entries"]} == {"127.0.0.1"}
    assert logging_service.sock is first, "the connection was kept alive"


def test_echo_shows_the_headers_that_arrived(logging_service: http.client.HTTPConnection) -> None:
    status, echo = ask(logging_service, "GET", "/echo?a=b", headers={"x-amzn-lattice-network": "SourceVpcArn=arn:aws:ec2:x:1:vpc/vpc-1"})
    assert status == 200
    assert echo["path"] == "/echo?a=b"
    assert echo["headers"]["x-amzn-lattice-network"] == "SourceVpcArn=arn:aws:ec2:x:1:vpc/vpc-1"


def test_health_unknown_paths_and_methods(logging_service: http.client.HTTPConnection) -> None:
    assert ask(logging_service, "GET", "/health")[0] == 200
    assert ask(logging_service, "GET", "/nothing")[0] == 404
    assert ask(logging_service, "POST", "/nothing", b"x")[0] == 404
    assert ask(logging_service, "DELETE", "/")[0] == 501
    assert ask(logging_service, "GET", "/")[1]["received"] == 0


@pytest.mark.parametrize(("headers", "status"), [({"Content-Length": "1048577"}, 413), ({"Content-Length": "-1"}, 400), ({"Content-Length": "9" * 40}, 413)])
def test_a_body_beyond_the_bounds_is_refused(logging_service: http.client.HTTPConnection, headers: dict[str, str], status: int) -> None:
    assert ask(logging_service, "POST", "/", headers=headers)[0] == status
    assert ask(logging_service, "GET", "/") == (200, {"count": 0, "received": 0, "entries": []})


def test_only_the_newest_entries_are_kept(logging_service: http.client.HTTPConnection) -> None:
    for number in range(1005):
        assert ask(logging_service, "POST", "/", str(number).encode())[0] == 201
    kept = ask(logging_service, "GET", "/")[1]
    assert (kept["count"], kept["received"], kept["entries"][0]["body"], kept["entries"][-1]["body"]) == (1000, 1005, 5, 1004)


def test_large_bodies_push_out_the_oldest(logging_service: http.client.HTTPConnection) -> None:
    for _ in range(18):
        assert ask(logging_service, "POST", "/", b"x" * (1 << 20))[0] == 201
    assert ask(logging_service, "GET", "/")[1]["count"] == 16


def test_the_web_service_greets(start: Start) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", start("web_service.py", "--name", "web-dev"), timeout=10)
    assert ask(connection, "GET", "/") == (200, "web-dev greets 127.0.0.1\n")
    assert ask(connection, "GET", "/health") == (200, "ok\n")
    assert ask(connection, "GET", "/other")[0] == 404
    connection.close()


@pytest.fixture(scope="module")
def mongo(start: Start) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]]("127.0.0.1", start("mongo_service.py"), serverSelectionTimeoutMS=10_000, tz_aware=True) as client:
        yield client


@pytest.fixture
def orders(mongo: MongoClient[dict[str, Any]]) -> Iterator[Any]:
    collection = mongo.shop.orders
    yield collection
    collection.delete_many({})


def test_every_bson_type_comes_back_unchanged(orders: Any) -> None:
    document = {
        "_id": ObjectId(), "double": 1.5, "text": "ä\0b", "nested": {"deep": {"er": [1, {"x": None}]}}, "binary": Binary(b"\0\1", 5), "flag": True,
        "time": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), "regex": Regex("^a", "i"), "code": Code("f()"), "scoped": Code("f()", {"a": 1}), "int": 7,
        "long": Int64(7), "stamp": Timestamp(1, 2), "decimal": Decimal128("1.10"), "max": MaxKey(), "empty": {}, "": "no name",
    }  # fmt: skip
    assert orders.insert_one(document).inserted_id == document["_id"]
    assert orders.find_one({"_id": document["_id"]}) == document
    assert type(orders.find_one()["long"]) is Int64


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [1, 2, 3]), ({"name": "ann"}, [1]), ({"name": {"$eq": "bob"}}, [2]), ({"size": 2.0}, [2, 3]), ({"size": 2, "name": "bob"}, [2]),
        ({"card.number": "4111"}, [1]), ({"tags": "b"}, [2, 3]), ({"tags": ["b", "c"]}, [3]), ({"items.sku": 8}, [3]), ({"name": None}, []),
    ],
)  # fmt: skip
def test_filters_compare_for_equality(orders: Any, query: dict[str, Any], found: list[int]) -> None:
    orders.insert_many([
        {"_id": 1, "name": "ann", "card": {"number": "4111"}}, {"_id": 2, "name": "bob", "size": 2, "tags": ["a", "b"]},
        {"_id": 3, "size": Int64(2), "tags": ["b", "c"], "items": [{"sku": 7}, {"sku": 8}]},
    ])  # fmt: skip
    assert [one["_id"] for one in orders.find(query)] == found
    assert orders.count_documents(query) == len(found)


def test_a_long_answer_comes_in_batches(orders: Any) -> None:
    orders.insert_many([{"_id": number} for number in range(350)])
    assert [one["_id"] for one in orders.find()] == list(range(350))
    assert [one["_id"] for one in orders.find(batch_size=7).skip(3).limit(20)] == list(range(3, 23))
    assert orders.estimated_document_count() == 350
    with orders.find(batch_size=2) as cursor:
        assert next(cursor)["_id"] == 0


def test_documents_larger_than_one_message_together(orders: Any) -> None:
    orders.insert_many([{"_id": number, "text": "x" * 6_000_000} for number in range(4)])
    assert [len(one["text"]) for one in orders.find()] == [6_000_000] * 4
    with pytest.raises(OperationFailure, match="too large"):
        orders.insert_many([{"text": "x" * 9_000_000} for _ in range(6)])


def test_deleting_makes_room_for_the_same_id(orders: Any) -> None:
    orders.insert_many([{"_id": 1, "a": 1}, {"_id": 2, "a": 1}, {"_id": 3}])
    with pytest.raises(DuplicateKeyError):
        orders.insert_one({"_id": 3})
    assert orders.delete_one({"a": 1}).deleted_count == 1
    assert orders.delete_many({"a": 1}).deleted_count == 1
    orders.insert_one({"_id": 1})
    assert [one["_id"] for one in orders.find()] == [3, 1]


def test_names_of_collections_and_databases(mongo: MongoClient[dict[str, Any]]) -> None:
    mongo.catalog.books.insert_one({"_id": 1})
    mongo.catalog.pens.insert_one({"_id": 1})
    assert sorted(mongo.catalog.list_collection_names()) == ["books", "pens"]
    assert mongo.catalog.list_collection_names(filter={"name": "pens"}) == ["pens"]
    assert "catalog" in mongo.list_database_names()
    mongo.catalog.pens.drop()
    assert mongo.catalog.list_collection_names() == ["books"]
    assert mongo.server_info()["version"] == "6.0.0"


def test_what_is_not_understood_is_refused(orders: Any) -> None:
    refusals: list[tuple[int, Callable[[], Any]]] = [
        (2, lambda: orders.find_one({"a": {"$gt": 1}})),
        (2, lambda: orders.find_one({"$or": [{"a": 1}]})),
        (2, lambda: orders.find_one({}, {"a": 1})),
        (2, lambda: orders.find_one({}, sort=[("a", 1)])),
        (2, lambda: orders.database.command("find", "orders", skip=-1)),
        (14, lambda: orders.database.command("find", "orders", skip=float("nan"))),
        (14, lambda: orders.database.command("find", 7)),
        (59, lambda: orders.database.command("explain")),
        (40324, lambda: list(orders.aggregate([{"$project": {"a": 1}}]))),
        (43, lambda: orders.database.command("getMore", Int64(99), collection="orders")),
    ]
    for code, act in refusals:
        with pytest.raises(OperationFailure) as refusal:
            act()
        assert refusal.value.code == code


def test_many_clients_at_once(orders: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: orders.insert_one({"_id": number}), range(200)))
    assert orders.count_documents({}) == 200


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("<iiii", 8, 1, 0, 2013),
        struct.pack("<iiii", 2**31 - 1, 1, 0, 2013),
        struct.pack("<iiii", 21, 1, 0, 2013) + b"\0\0\0\0\7",
        struct.pack("<iiiiIbi", 25, 1, 0, 2013, 0, 0, 99),
        struct.pack("<iiiiIbi", 30, 1, 0, 2013, 0, 0, 9) + b"\2abcd",
        struct.pack("<iiii", 16, 1, 0, 1),
    ],
)
def test_bytes_that_are_no_message_close_that_connection_only(mongo: MongoClient[dict[str, Any]], sent: bytes) -> None:
    address = mongo.address
    assert address is not None
    with socket.create_connection(address, timeout=10) as stranger:
        stranger.sendall(sent)
        assert stranger.recv(100) == b""
    assert mongo.admin.command("ping")["ok"] == 1.0


def test_the_legacy_handshake(mongo: MongoClient[dict[str, Any]]) -> None:
    address = mongo.address
    assert address is not None
    query = b"\x10isMaster\0\1\0\0\0"
    body = b"\0\0\0\0admin.$cmd\0" + struct.pack("<ii", 0, -1) + struct.pack("<i", len(query) + 5) + query + b"\0"
    with socket.create_connection(address, timeout=10) as old:
        old.sendall(struct.pack("<iiii", len(body) + 16, 77, 0, 2004) + body)
        length, _, answered, opcode = struct.unpack("<iiii", old.recv(16, socket.MSG_WAITALL))
        assert (answered, opcode) == (77, 1)
        assert b"maxWireVersion" in old.recv(length - 16, socket.MSG_WAITALL)

