"""`latticewall explain`: every gate a request meets or met, the statement that decided, and the smallest change that would let it on."""

from __future__ import annotations

import argparse
from typing import Any

from latticewall.faces.cli.command import Command
from latticewall.faces.cli.explanation import show
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import COULD_NOT_TELL, NOT_AS_EXPECTED, Problem
from latticewall.faces.cli.session import Session

_CODES = {"allowed": 0, "denied": NOT_AS_EXPECTED}


def arguments(parser: argparse.ArgumentParser) -> None:
    what = (
        "a URL that would be asked for (http://service/path, https://tls-service/, tcp://resource:port), the id of a request that was made, "
        "or the recordId of an access-log record"
    )
    parser.add_argument("what", metavar="URL|REQUEST-ID|RECORD-ID", help=what)
    who = "who asks: a role or user by name or ARN, an access key id, or `anonymous` (default: the role of the instance of --from)"
    caller = parser.add_mutually_exclusive_group()
    caller.add_argument("--as", dest="who", metavar="ROLE", default="", help=who)
    caller.add_argument("--anonymous", dest="who", action="store_const", const="anonymous", help="nobody signs: the same as `--as anonymous`")
    parser.add_argument("--from", dest="source", metavar="INSTANCE", default="", help="from where: an instance id or Name tag, or a VPC id")
    parser.add_argument("--method", metavar="METHOD", help="the request's method (default: GET)")
    parser.add_argument("--header", action="append", metavar="'NAME: VALUE'", help="a header of the request; repeat for more")


def run(session: Session, chosen: argparse.Namespace, output: Output) -> int:
    """0 when the request is allowed, 1 when it is denied, 2 when that cannot be told."""
    answer = session.ask("explain", _question(chosen))
    if answer["verdict"] not in _CODES and not answer["gates"] and not output.as_json:
        raise Problem(f"explain {chosen.what}: {answer['summary']}")
    if output.as_json:
        output.document(answer)
    else:
        show(answer, output)
    return _CODES.get(answer["verdict"], COULD_NOT_TELL)


def _question(chosen: argparse.Namespace) -> dict[str, Any]:
    if "://" in chosen.what:
        if not chosen.who and not chosen.source:
            raise Problem(f"explain {chosen.what}: say who asks with --as ROLE or --anonymous, or from where with --from INSTANCE")
        return {"url": chosen.what, "method": chosen.method or "GET", "headers": chosen.header or [], "who": chosen.who, "source": chosen.source}
    if chosen.who or chosen.source or chosen.method or chosen.header:
        raise Problem(f"explain {chosen.what}: a request that was made is explained as it was: --as, --anonymous, --from, --method and --header go with a URL")
    return {"request_id": chosen.what}


COMMAND = Command(
    "explain",
    "say why a request is (or was) allowed or denied, gate by gate",
    (
        "latticewall explain 0d5b1c9e-6a53-4f0c-9a53-5f1f3c8e2b11",
        "latticewall explain --as web --method GET http://rates.example.com/today",
        "latticewall explain --anonymous --method POST http://rates.example.com/today",
        "latticewall explain --from web --header 'x-team: blue' http://rates.example.com/today",
    ),
    run,
    arguments,
)
