"""What is acknowledged is kept: rows, edges, a change log and one revision for all of it, in one SQLite file (WAL).

May import base only. Nothing here knows what a kind means. Log events, S3's objects, records on their way to a
destination and metrics (high volume, never part of a decision) have their own tables and no revision.
"""

from __future__ import annotations

from latticewall.store.mirror import Mirror
from latticewall.store.snapshot import Snapshot
from latticewall.store.sqlite import Moved, MustWrite, Store, View
from latticewall.store.together import Together
from latticewall.store.transaction import Transaction

__all__ = ["Mirror", "Moved", "MustWrite", "Snapshot", "Store", "Together", "Transaction", "View"]
