"""Delivers what functions print to CloudWatch Logs, as far as their roles may ("Sending Lambda function logs to CloudWatch Logs").

The position in the file is stored in the same transaction as the events: nothing is lost and nothing delivered twice.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latticewall.app import App
from latticewall.auth.callers import caller_of
from latticewall.base.caller import Caller
from latticewall.base.faults import Denied, Fault
from latticewall.control_plane.function_sessions import newest_session
from latticewall.dataplane.functions.log_lines import before
from latticewall.store import Transaction
from latticewall.telemetry.followed_file import Position, read_lines

log = logging.getLogger(__name__)
POLL_SECONDS = 0.2
CURSOR = "functions"


class FunctionLogs:
    """One thread that follows the file of the functions process."""

    def __init__(self, app: App, path: Path) -> None:
        self._app = app
        self._path = path
        self._stop = threading.Event()

    def run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                while self.step():
                    pass
            except Exception:
                log.exception("functions' logs could not be delivered")

    def stop(self) -> None:
        self._stop.set()

    def step(self) -> bool:
        """Deliver what has been appended; whether there may be more. A file that was full is read to its end before the one after it."""
        full = before(self._path)
        with self._app.store.read() as snapshot:
            start = Position.parse(snapshot.cursor(CURSOR))
        lines, end = read_lines(full if full.exists() else self._path, start)
        if not lines:
            if not full.exists():
                return False
            full.unlink()
            return True
        with self._app.store.write("latticewall", "log delivery") as tx:
            self._deliver(tx, [line.text for line in lines])
            tx.move_cursor(CURSOR, str(end))
        return True

    def _deliver(self, tx: Transaction, lines: list[str]) -> None:
        by_stream: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
        for line in lines:
            try:
                event = json.loads(line)
                by_stream[(event["function"], event["group"], event["stream"])].append({"timestamp": event["at"], "message": event["line"]})
            except (ValueError, KeyError, TypeError):
                log.warning("a line of a function's log cannot be read: %.200s", line)
        sessions = tx.rows("sts:Session") if by_stream else []
        for (function, group, stream), events in by_stream.items():
            session = newest_session(sessions, function)
            caller = caller_of(tx, session.id, function.split(":")[3]) if session else None
            if caller is not None:
                self._put(tx, caller, group, stream, sorted(events, key=lambda event: int(event["timestamp"])))

    def _put(self, tx: Transaction, caller: Caller, group: str, stream: str, events: list[dict[str, Any]]) -> None:
        """As the function's role: what it may not do is not done, as in AWS without AWSLambdaBasicExecutionRole."""
        named = {"logGroupName": group, "logStreamName": stream}
        try:
            self._ensure(tx, caller, "logs:CreateLogGroup", {"logGroupName": group})
            self._ensure(tx, caller, "logs:CreateLogStream", named)
            self._app.call_within(tx, caller, "logs:PutLogEvents", {**named, "logEvents": events})
        except Denied:
            return
        except Fault as fault:
            log.warning("events of %s are not delivered: %s", group, fault.message)

    def _ensure(self, tx: Transaction, caller: Caller, operation: str, params: Mapping[str, Any]) -> None:
        group = tx.by_arn(f"arn:aws:logs:{caller.region}:{caller.account}:log-group:{params['logGroupName']}")
        there = group is not None
        if group is not None and (stream := params.get("logStreamName")):
            there = bool(tx.rows("logs:LogStream", parent=group.id, name=stream))
        if not there:
            self._app.call_within(tx, caller, operation, params)
