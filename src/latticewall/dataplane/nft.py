"""The ruleset of one namespace: replaced in one transaction when it differs from the plan, or when what is loaded is not what we loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from latticewall.compile.render.nft import queue_rule, remove_nft, render_nft, render_queue
from latticewall.dataplane.kernel import Kernel
from latticewall.plan.nft import Ruleset
from latticewall.plan.topology import Namespace


class LoadedRulesets:
    """What was loaded last into each namespace, kept in files so that it survives the control plane: digests of our text and of nft's listing.

    nft normalises what it is given, so its listing cannot be compared with our text; but an unaltered table always lists the same.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def matches(self, namespace: str, text: str, listing: Callable[[], str]) -> bool:
        """Whether this text was loaded last, and what is there is still what came of it (listed only when it can be)."""
        if not self.known(namespace):
            return False
        noted = (self._folder / namespace).read_text()
        return noted.startswith(_digests(text)) and noted == _digests(text, listing())

    def known(self, namespace: str) -> bool:
        return (self._folder / namespace).exists()

    def remember(self, namespace: str, text: str, listing: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / namespace).write_text(_digests(text, listing))

    def forget(self, namespace: str) -> None:
        (self._folder / namespace).unlink(missing_ok=True)


def ensure_ruleset(kernel: Kernel, loaded: LoadedRulesets, namespace: Namespace) -> int:
    """1 when the table was replaced or removed, 0 when all was as planned. Raises UnsafeText before anything is touched, or KernelError."""
    name = namespace.name
    if namespace.ruleset is None:
        if not loaded.known(name):
            return 0
        kernel.nft(name, remove_nft())
        loaded.forget(name)
        return 1
    text = render_nft(namespace.ruleset)
    if loaded.matches(name, text, lambda: kernel.nft_table(name)):
        return 0
    _replace(kernel, name, namespace.ruleset, text)
    loaded.remember(name, text, kernel.nft_table(name))
    return 1


def _replace(kernel: Kernel, name: str, ruleset: Ruleset, text: str) -> None:
    """What counters count between being read and being replaced is lost: some microseconds of traffic."""
    kernel.nft(name, render_nft(ruleset, kernel.counters(name)) if ruleset.counters else text)


def ensure_queue(kernel: Kernel, namespace: Namespace) -> int:
    """1 when the way to the engine had to be restored. Table mangle of a firewall endpoint's namespace is ours as a whole."""
    if namespace.queue is None:
        return 0
    if kernel.queue_rules(namespace.name) == (queue_rule(namespace.queue, namespace.queue_mark),):
        return 0
    kernel.restore_queue(namespace.name, render_queue(namespace.queue, namespace.queue_mark))
    return 1


def _digests(*texts: str) -> str:
    return "".join(hashlib.sha256(text.encode()).hexdigest() + "\n" for text in texts)
