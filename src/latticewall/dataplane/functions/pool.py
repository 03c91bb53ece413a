"""The environments of all functions: made when needed, used again while warm, ended when idle, out of date or too many."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latticewall.base.secret import Secret
from latticewall.dataplane.functions.config import Config
from latticewall.dataplane.functions.environment import Broken, Environment, Outcome, Place
from latticewall.dataplane.functions.log_lines import LogFile
from latticewall.dataplane.functions.programs import program_of
from latticewall.dataplane.functions.sandbox import FIRST_USER, USERS
from latticewall.plan.functions import Function, FunctionsPlan, FunctionVersion

log = logging.getLogger(__name__)
CONCURRENCY = 200
"""Environments at once, of all functions together: this is one machine (AWS's default is 1,000 in an account). The Lambda service says the same number."""
IDLE_SECONDS = 300.0
LIFE_SECONDS = 4 * 3600.0
"""An environment is replaced after this, also when it is busy all the time; its credentials last longer."""
REAP_SECONDS = 5.0


class Refused(Exception):
    """No invocation took place. code: as Invoke names it (ResourceNotFoundException, TooManyRequestsException ...). reason: of a throttled call."""

    def __init__(self, code: str, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Invocation:
    """function: ARN without qualifier. qualifier: "" or "$LATEST", a version, an alias. arn: as the invoker named it."""

    function: str
    qualifier: str
    arn: str
    request_id: str
    event: bytes
    client_context: Any = None


class Pool:
    """folder: of the process (root/ to mount on, api.sock). code: folder with the unpacked code by digest."""

    def __init__(self, folder: Path, code: Path, log_file: LogFile) -> None:
        self._folder = folder
        self._code = code
        self._log = log_file
        self._config = Config("", FunctionsPlan())
        self._functions: Mapping[str, Function] = {}
        self._idle: dict[tuple[str, str], list[Environment]] = defaultdict(list)
        self._busy: Counter[str] = Counter()
        self._count = 0
        self._started: dict[int, float] = {}
        self._users = itertools.cycle(range(FIRST_USER, FIRST_USER + USERS))
        self._ending: set[asyncio.Task[None]] = set()
        (folder / "root").mkdir(exist_ok=True, mode=0o700)

    def follow(self, config: Config) -> None:
        """From now on functions are like this; idle environments of anything else end."""
        self._config = config
        self._functions = {function.arn: function for function in config.plan.functions}
        for key, idle in list(self._idle.items()):
            for environment in [one for one in idle if not self._is_current(one)]:
                self._end(key, environment)

    async def invoke(self, wanted: Invocation) -> Outcome:
        """Raises Refused."""
        function, version = self._find(wanted)
        self._admit(function)
        self._busy[function.arn] += 1
        try:
            environment = await self._take(function, version)
            if isinstance(environment, Outcome):
                return environment
            usable = False
            try:
                outcome, usable = await environment.invoke(wanted.request_id, wanted.event, wanted.arn, wanted.client_context)
            finally:
                self._give_back(environment, usable)
            return outcome
        finally:
            self._busy[function.arn] -= 1

    async def close(self) -> None:
        for key, idle in list(self._idle.items()):
            for environment in list(idle):
                self._end(key, environment)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def reap(self) -> None:
        """For ever: end what has been idle for long."""
        while True:
            await asyncio.sleep(REAP_SECONDS)
            now = time.monotonic()
            for key, idle in list(self._idle.items()):
                for environment in [one for one in idle if now - one.idle_since > IDLE_SECONDS or now - self._started[id(one)] > LIFE_SECONDS]:
                    self._end(key, environment)

    # -- choosing ---------------------------------------------------------------------------------------------------------------------

    def _find(self, wanted: Invocation) -> tuple[Function, FunctionVersion]:
        function = self._functions.get(wanted.function)
        if function is None:
            raise Refused("ResourceNotFoundException", f"Function not found: {wanted.arn}")
        name = wanted.qualifier or "$LATEST"
        weights = dict(function.aliases).get(name)
        if weights:
            name = random.choices([version for version, _ in weights], [weight for _, weight in weights])[0]  # noqa: S311 - a share, not a secret
        version = next((version for version in function.versions if version.version == name), None)
        if version is None:
            raise Refused("ResourceNotFoundException", f"Function not found: {wanted.arn}")
        return function, version

    def _admit(self, function: Function) -> None:
        if 0 <= function.reserved <= self._busy[function.arn]:
            raise Refused("TooManyRequestsException", "Rate Exceeded.", "ReservedFunctionConcurrentInvocationLimitExceeded")
        if function.reserved >= 0:
            return
        reserved = {one.arn: one.reserved for one in self._functions.values() if one.reserved >= 0}
        unreserved = sum(count for arn, count in self._busy.items() if arn not in reserved)
        if unreserved >= CONCURRENCY - sum(reserved.values()):
            raise Refused("TooManyRequestsException", "Rate Exceeded.", "ConcurrentInvocationLimitExceeded")

    def _is_current(self, environment: Environment) -> bool:
        function = self._functions.get(environment.function.arn)
        return (
            function is not None
            and environment.is_alive
            and environment.version in function.versions
            and environment.credentials == self._credentials(function)
            and time.monotonic() - self._started[id(environment)] < LIFE_SECONDS
        )

    def _credentials(self, function: Function) -> Mapping[str, Secret]:
        return self._config.credentials.get(function.arn, {})

    async def _take(self, function: Function, version: FunctionVersion) -> Environment | Outcome:
        """A warm environment, else a new one; the outcome of the invocation when none can be made."""
        key = (function.arn, version.version)
        while idle := self._idle[key]:
            environment = idle.pop()
            if self._is_current(environment):
                return environment
            idle.append(environment)
            self._end(key, environment)
        if self._count >= CONCURRENCY:
            self._end_oldest()
        return await self._make(function, version)

    async def _make(self, function: Function, version: FunctionVersion) -> Environment | Outcome:
        number = version.version.strip("$")
        stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{'$LATEST' if number == 'LATEST' else number}]{secrets.token_hex(16)}"
        place = Place(self._folder / "root", self._code / version.code, self._folder / "api.sock", stream, next(self._users))
        try:
            program = program_of(version.runtime)
        except LookupError as error:
            raise Refused("InvalidRuntimeException", str(error)) from None
        environment = Environment(function, version, self._credentials(function), program, place, self._log)
        self._started[id(environment)] = time.monotonic()
        self._count += 1
        try:
            await environment.start()
        except Broken as broken:
            await self._stop(environment)
            return Outcome(json.dumps(broken.payload).encode(), "Unhandled", version=version.version)
        except BaseException:
            await self._stop(environment)
            raise
        return environment

    def _give_back(self, environment: Environment, usable: bool) -> None:
        key = (environment.function.arn, environment.version.version)
        self._idle[key].append(environment)
        if not usable or not self._is_current(environment):
            self._end(key, environment)

    # -- ending -----------------------------------------------------------------------------------------------------------------------

    def _end_oldest(self) -> None:
        every = [(environment.idle_since, key, environment) for key, idle in self._idle.items() for environment in idle]
        if every:
            _, key, environment = min(every, key=lambda item: item[0])
            self._end(key, environment)

    def _end(self, key: tuple[str, str], environment: Environment) -> None:
        self._idle[key].remove(environment)
        if not self._idle[key]:
            del self._idle[key]
        task = asyncio.get_running_loop().create_task(self._stop(environment))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _stop(self, environment: Environment) -> None:
        try:
            await environment.stop()
        finally:
            self._count -= 1
            self._started.pop(id(environment), None)
