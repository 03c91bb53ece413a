"""`python -m bench [FILE]`: measure everything, and write the page (docs/performance.md)."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from bench import api, authorization, changes, continuity, estate, footprint, judgement, load, policy
from bench.architecture import build
from bench.plain_envoy import plain_envoy, upstream_script
from bench.region import Region
from bench.report import page

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def main(target: Path) -> int:
    """About ten minutes. The page is written only when everything was measured."""
    folder = Path(tempfile.mkdtemp(prefix="lw-bench-"))
    region = Region(folder / "state")
    try:
        region.up()
        built = build(region, {"server": upstream_script(), "plain-server": upstream_script()})
        with plain_envoy(region, built, built.instances["client"]) as peer:
            sections = [load.requests(region, built, peer), authorization.authorization(region, built, peer, folder), load.throughput(region, built)]
            sections += [judgement.judgement(folder / "judgement"), policy.decisions()]
            sections.append(changes.changes(region, built))
            sections += [footprint.rounds(region, built), footprint.memory(region, built, peer)]
        region.down("--purge")
        for name, measure in {"estate": estate.estate, "operations": api.operations, "continuity": continuity.continuity}.items():
            region = Region(folder / name)
            region.up()
            sections.append(measure(region))
            region.down("--purge")
        sections.append(footprint.starting(folder, peer))
    finally:
        region.down("--purge")
        shutil.rmtree(folder, ignore_errors=True)
    text = page(sections)
    target.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE))
