"""What latticewall costs, measured beside a peer in the same run on the same machine: `make bench` writes docs/performance.md.

`region` starts a region and talks to it, `architecture` builds what is measured through boto3; `authorization` what
deciding about every request costs, `judgement` and `policy` the same without Envoy, `load` measures requests and throughput beside `plain_envoy`
and a plain route, `changes` the time from an API call to its effect on packets, `footprint` memory and starting; `report` writes the page. The tests
of failures (tests/robustness) stand on `region` and `architecture` too.
"""
