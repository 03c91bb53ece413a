"""One execution environment: a shut-in runtime that handles one event at a time ("Understanding the Lambda execution environment lifecycle")."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latticewall.base.reasons import reason
from latticewall.base.secret import Secret
from latticewall.dataplane.functions import frames
from latticewall.dataplane.functions.log_lines import LogFile, Tail
from latticewall.dataplane.functions.memory import MemoryWatch
from latticewall.dataplane.functions.programs import Program
from latticewall.dataplane.functions.sandbox import API_PORT
from latticewall.plan.functions import Function, FunctionVersion

LARGEST_RESPONSE = 6 * 1024 * 1024 + 100
"""Bytes ("Lambda quotas"; the same number as in the runtimes)."""
INIT_SECONDS = 10.0
START_SECONDS = 10.0
LONGEST_LINE = 256 * 1024
DATA_SLACK = 192 * 1024 * 1024
"""Bytes that a process may have beside the function's memory, as the hard limit behind the watch: interpreters reserve more than they use."""
_PIPE_PIECE = 65_536
MOST_CONNECTIONS = 64
"""Open at once from inside to the region's API; further ones are closed, so that no function uses up what all share."""


@dataclass(frozen=True)
class Outcome:
    """error: "" or what X-Amz-Function-Error says. tail: the end of the invocation's log."""

    payload: bytes
    error: str = ""
    tail: bytes = b""
    version: str = ""


@dataclass(frozen=True)
class Place:
    """Where environments live. root: an empty folder to mount on. code: the unpacked code. api: the unix socket of the region's API. stream: the log
    stream. user: number of the user inside."""

    root: Path
    code: Path
    api: Path
    stream: str
    user: int


class Broken(Exception):
    """The environment cannot be used any more. payload: what the invoker is told."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.payload = {"errorType": kind, "errorMessage": message}


class Environment:
    """start, then any number of invoke one after the other, then stop. log: where its output goes."""

    def __init__(self, function: Function, version: FunctionVersion, credentials: Mapping[str, Secret], program: Program, place: Place, log: LogFile) -> None:
        self.function, self.version, self.credentials, self.place = function, version, credentials, place
        self._program = program
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._watch: MemoryWatch | None = None
        self._api: asyncio.Server | None = None
        self._output = -1
        self._rest = b""
        self._tail = Tail()
        self._connections: set[asyncio.Task[None]] = set()
        self._init_error: bytes = b""
        self.init_milliseconds = 0.0
        self.invocations = 0
        self.idle_since = time.monotonic()

    # -- life -------------------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Until the runtime is ready for its first event. Raises Broken when the sandbox or the function's own initialisation fails."""
        started = time.monotonic()
        self._say(f"INIT_START Runtime Version: {self._program.description}")
        ours, theirs = socket.socketpair()
        output, given = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(given, True)
        self._output = output
        asyncio.get_running_loop().add_reader(output, self._read_output)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "latticewall.dataplane.functions.sandbox", str(theirs.fileno()),
                stdin=asyncio.subprocess.PIPE, stdout=given, stderr=given, pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
        finally:
            theirs.close()
            os.close(given)
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._shut_in(ours)
                self._reader, self._writer = await asyncio.open_connection(sock=ours)
        except (OSError, TimeoutError, ValueError) as error:
            ours.close()
            raise Broken("Runtime.InitError", f"the execution environment cannot be made: {reason(error)}") from None
        try:
            async with asyncio.timeout(INIT_SECONDS):
                frame = await frames.read(self._reader, LARGEST_RESPONSE)
        except TimeoutError:
            raise Broken("Sandbox.Timedout", f"Error: Init timed out after {INIT_SECONDS:.2f} seconds") from None
        except (asyncio.IncompleteReadError, frames.BadFrame, OSError):
            raise Broken("Runtime.ExitError", f"Error: Runtime exited {await self._how_it_ended()}") from None
        self.init_milliseconds = (time.monotonic() - started) * 1000
        if frame.kind == "F":
            self._read_output()
            self._init_error = frame.payload or b"{}"

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _shut_in(self, ours: socket.socket) -> None:
        """Tell the sandbox what to be, and take the listening socket it sends from inside."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._specification()).encode())
        self._process.stdin.close()
        ours.settimeout(START_SECONDS)
        _, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, ours, 1, 1)
        if not descriptors:
            raise ValueError("it ended before it was shut in")
        ours.setblocking(False)  # noqa: FBT003 - takes no keyword
        listener = socket.socket(fileno=descriptors[0])
        self._api = await asyncio.start_server(self._answer_api, sock=listener)
        self._watch = MemoryWatch(self._process.pid, self.version.memory * 1024 * 1024, self._kill)

    def _specification(self) -> dict[str, Any]:
        return {
            "root": str(self.place.root),
            "mounts": [*self._program.mounts, (str(self.place.code), "/var/task")],
            "user": self.place.user,
            "storage": self.version.storage,
            "data": self.version.memory * 1024 * 1024 + DATA_SLACK,
            "argv": self._program.command(self.version.memory),
            "environment": self._variables(),
        }

    def _variables(self) -> dict[str, str]:
        """"Defined runtime environment variables" of Lambda; the function's own cannot replace the reserved ones."""
        version, name = self.version, self.function.name
        own = {variable: value.reveal() for variable, value in version.environment}
        reserved = {
            "_HANDLER": version.handler, "AWS_REGION": self.function.region, "AWS_DEFAULT_REGION": self.function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{version.runtime}", "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_VERSION": version.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory), "AWS_LAMBDA_LOG_GROUP_NAME": version.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self.place.stream, "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "LAMBDA_TASK_ROOT": "/var/task",
            "LAMBDA_RUNTIME_DIR": "/var/runtime", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{API_PORT}",
        }  # fmt: skip
        free = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC", "HOME": "/tmp", **self._program.variables}  # noqa: S108
        return {**free, **own, **reserved, **{variable: value.reveal() for variable, value in self.credentials.items()}}

    async def stop(self) -> None:
        """Kill it with everything in it; returns when it is gone."""
        self._kill()
        if self._watch is not None:
            self._watch.stop()
        if self._api is not None:
            self._api.close()
        for task in list(self._connections):
            task.cancel()
        if self._process is not None:
            await self._process.wait()
        if self._output >= 0:
            self._read_output()
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            self._output = -1
        if writer := getattr(self, "_writer", None):
            writer.close()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()  # the sandbox's child dies with it, and its pid namespace with that

    async def _how_it_ended(self) -> str:
        assert self._process is not None
        self._kill_after_end = asyncio.get_running_loop().call_later(1.0, self._kill)
        code = await self._process.wait()
        self._kill_after_end.cancel()
        if self._watch is not None and self._watch.exceeded:
            return "with error: signal: killed"
        if code == 0:
            return "without providing a reason"
        return "with error: signal: killed" if code in (-9, 137) else f"with error: exit status {code}"

    # -- invocations ------------------------------------------------------------------------------------------------------------------

    async def invoke(self, request_id: str, event: bytes, arn: str, client_context: Any = None) -> tuple[Outcome, bool]:
        """Hand over one event; its outcome, and whether the environment can be used again."""
        self._tail = Tail()
        version, started = self.version, time.monotonic()
        self._say(f"START RequestId: {request_id} Version: {version.version}")
        if self._watch is not None:
            self._watch.reset()
        usable = False
        status = ""
        try:
            frame = await self._exchange(request_id, event, arn, client_context)
            usable = frame.kind in ("R", "E") and not frame.header.get("last")
            if frame.payload is None:
                message = f"Response payload size exceeded maximum allowed payload size ({LARGEST_RESPONSE} bytes)."
                frame = frames.Frame("E", {}, json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode())
            payload, error = frame.payload or b"", "" if frame.kind == "R" else "Unhandled"
            if error:
                payload, status = _with_request_id(payload, request_id), "\tStatus: error"
        except Broken as broken:
            error, payload = "Unhandled", json.dumps({**broken.payload, "errorMessage": f"RequestId: {request_id} {broken}"}).encode()
            status = "\tStatus: timeout" if broken.payload["errorType"] == "Sandbox.Timedout" else "\tStatus: error"
            if broken.payload["errorType"] != "Sandbox.Timedout":
                self._say(f"RequestId: {request_id} {broken}\n{broken.payload['errorType']}")
        if self._watch is not None:
            self._watch.rest()
        self._read_output()
        self._report(request_id, (time.monotonic() - started) * 1000, status)
        self.invocations += 1
        self.idle_since = time.monotonic()
        return Outcome(payload, error, bytes(self._tail), version.version), usable

    async def _exchange(self, request_id: str, event: bytes, arn: str, client_context: Any) -> frames.Frame:
        """Raises Broken when there is no answer in time, or none at all."""
        if self._init_error:
            return frames.Frame("F", {}, self._init_error)
        timeout = self.version.timeout
        header = {"id": request_id, "arn": arn, "deadline_ms": int((time.time() + timeout) * 1000), "client_context": client_context}
        try:
            async with asyncio.timeout(timeout):
                self._writer.write(frames.encode("I", header, event))
                await self._writer.drain()
                while True:
                    frame = await frames.read(self._reader, LARGEST_RESPONSE)
                    if frame.kind in ("R", "E") and frame.header.get("id") == request_id:
                        return frame
        except TimeoutError:
            self._kill()
            self._say(f"{_stamp()} {request_id} Task timed out after {timeout:.2f} seconds")
            raise Broken("Sandbox.Timedout", f"Error: Task timed out after {timeout:.2f} seconds") from None
        except (asyncio.IncompleteReadError, frames.BadFrame, OSError):
            raise Broken("Runtime.ExitError", f"Error: Runtime exited {await self._how_it_ended()}") from None

    def _report(self, request_id: str, milliseconds: float, status: str) -> None:
        self._say(f"END RequestId: {request_id}")
        billed = int(milliseconds) + 1
        init = f"\tInit Duration: {self.init_milliseconds:.2f} ms" if not self.invocations else ""
        used = (self._watch.highest if self._watch else 0) // 2**20
        memory = f"Memory Size: {self.version.memory} MB\tMax Memory Used: {used} MB"
        self._say(f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\tBilled Duration: {billed} ms\t{memory}{init}{status}")

    # -- output and API ---------------------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._tail.add(text)
        self._log.write(self.function.arn, self.version.log_group, self.place.stream, text)

    def _read_output(self) -> None:
        """Whole lines as they come; a line without end is cut."""
        if self._output < 0:
            return
        for _ in range(64):  # then others have a turn
            try:
                piece = os.read(self._output, _PIPE_PIECE)
            except BlockingIOError:
                return
            except OSError:
                piece = b""
            if not piece:
                asyncio.get_running_loop().remove_reader(self._output)
                return
            *lines, self._rest = (self._rest + piece).split(b"\n")
            if len(self._rest) > LONGEST_LINE:
                lines, self._rest = [*lines, self._rest], b""
            for line in lines:
                if line.strip():
                    self._say(line.decode("utf-8", "replace").replace("\r", "\n"))

    async def _answer_api(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from inside to the region's API, byte for byte."""
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= MOST_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        try:
            inner_reader, inner_writer = await asyncio.open_unix_connection(str(self.place.api))
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_pump(reader, inner_writer))
                    both.create_task(_pump(inner_reader, writer))
            finally:
                inner_writer.close()
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIPE_PIECE):
        target.write(piece)
        await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()


def _with_request_id(payload: bytes, request_id: str) -> bytes:
    """An initialisation's error, as the invocation that met it reports it; others already say theirs."""
    try:
        document = json.loads(payload)
    except ValueError:
        return payload
    if isinstance(document, dict) and document.get("requestId") == "":
        return json.dumps({**document, "requestId": request_id}).encode()
    return payload


def _stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() * 1000) % 1000:03d}Z"
