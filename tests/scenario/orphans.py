"""Runs a command as its children's last resort: python orphans.py REPORT COMMAND ... ends as the command does, and writes to REPORT what it left running.

Whatever the command starts and does not end, daemons too, becomes a child of this process. One line for each: pid and command line.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from latticewall.dataplane import syscalls

PATIENCE = 5.0
"""Seconds for what is just ending."""


def children() -> list[str]:
    """Those that run; what has ended is reaped."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            return []
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [f"{pid} {Path(f'/proc/{pid}/cmdline').read_bytes().decode(errors='replace').replace(chr(0), ' ')}" for pid in found]


def main(report: str, command: list[str]) -> int:
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    code = subprocess.run(command, check=False).returncode
    deadline = time.monotonic() + PATIENCE
    while (left := children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    Path(report).write_text("\n".join(left))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
