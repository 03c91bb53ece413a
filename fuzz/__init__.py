"""Hostile input, a great deal of it, against what decides about requests: `python -m fuzz --help`.

The machines, the references and the generators are those of the tests; here they run long.
"""

import sys
from pathlib import Path

for _folder in ("policy", "auth", "lua", "engines/envoy"):
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / _folder))
