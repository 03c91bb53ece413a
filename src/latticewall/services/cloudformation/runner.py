"""The thread that works on stacks."""

from __future__ import annotations

import logging
import threading

from latticewall.base.rows import Row
from latticewall.services.cloudformation import applying, deleting, rows
from latticewall.services.cloudformation.kinds import STACK, WORKING
from latticewall.services.cloudformation.work import Home

log = logging.getLogger(__name__)
WAKE_SECONDS = 0.5
"""How long a wait lasts at most, so that `stop` is heard."""
PAUSE_SECONDS = 1.0
"""After an error that is none of a stack's (a full disk): not again at once."""


class StackRunner:
    """Brings every stack with work to do to its end. Stateless: everything it knows is in the store, so another one continues where it was killed."""

    def __init__(self, app: Home) -> None:
        self._app = app
        self._stop = threading.Event()

    def run(self) -> None:
        """Work until `stop`: at once when something has changed, else wait for the next revision."""
        while not self._stop.is_set():
            seen = self._app.store.revision
            try:
                changed = self.step()
            except Exception:
                log.exception("stacks cannot be worked on")
                self._stop.wait(PAUSE_SECONDS)
                continue
            if not changed:
                self._app.store.wait_beyond(seen, WAKE_SECONDS)

    def stop(self) -> None:
        self._stop.set()

    def step(self) -> bool:
        """Do what can be done now, for every stack. True if anything changed."""
        with self._app.store.read() as snapshot:
            stacks = snapshot.rows(STACK, status=WORKING)
        changed = False
        for stack in stacks:
            try:
                changed |= self._turn(stack)
            except Exception:
                log.exception("stack `%s` cannot be worked on", stack.id)
        return changed

    def _turn(self, stack: Row) -> bool:
        status = rows.status_of(stack)
        if status in applying.STATUSES:
            return applying.Applying(self._app, stack).take()
        return deleting.Deleting(self._app, stack).take() if status in deleting.STATUSES else False
