"""What latticewall costs, measured beside a peer in the same run on the same machine: `make bench` writes docs/performance.md.

`region` starts a region and talks to it, `architecture` builds what is measured through boto3, `http`, `tcp`, `changes` and `resources` measure a
concern each, `report` writes the page. The tests of failures (tests/robustness) stand on `region` and `architecture` too.
"""
