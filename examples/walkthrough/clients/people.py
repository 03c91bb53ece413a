"""Two people in MongoDB, one of them with a card number: people.py HOST NAME inserts both and finds the one of that name.

Prints the document, without its id. Ends with 1 and the reason when the answer does not arrive. Needs pymongo.
"""

from __future__ import annotations

import json
import sys

from pymongo import MongoClient
from pymongo.errors import PyMongoError

CONNECT_MILLISECONDS, ANSWER_MILLISECONDS = 5000, 2000
PEOPLE = ({"name": "Ann", "city": "Oslo"}, {"name": "Bob", "card": "4111 1111 1111 1111"})


def main(host: str, name: str) -> int:
    client: MongoClient[dict[str, str]] = MongoClient(
        host,
        directConnection=True,
        retryReads=False,
        serverSelectionTimeoutMS=CONNECT_MILLISECONDS,
        connectTimeoutMS=CONNECT_MILLISECONDS,
        socketTimeoutMS=ANSWER_MILLISECONDS,
    )
    try:
        people = client.shop.people
        people.insert_many([dict(person) for person in PEOPLE])
        found = people.find_one({"name": name}) or {}
        print(json.dumps({field: value for field, value in found.items() if field != "_id"}))
    except PyMongoError as error:
        print(f"{type(error).__name__}: {str(error).split(',', 1)[0]}")
        return 1
    client.close()
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: people.py HOST NAME")
    sys.exit(main(sys.argv[1], sys.argv[2]))
