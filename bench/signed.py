"""Requests signed beforehand, each with a signature of its own, and the load generators that send them: as fast as answers come, or at even intervals."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.region import REGION, Region
from latticewall.auth.sigv4 import Credentials, sign

SERVICE = "vpc-lattice-svcs"
CONNECTIONS = 32
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_P99 = re.compile(r"^\s+99%\s+([\d.]+)(us|ms|s)\s*$", re.MULTILINE)
_WRONG = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}
_SCRIPT = r"""
local requests, position = {}, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  for text in file:read("*a"):gmatch("[^%z]+") do
    requests[#requests + 1] = text
  end
  file:close()
end

function request()
  position = position % #requests + 1
  return requests[position]
end
"""


@dataclass(frozen=True)
class Outcome:
    """rate: requests/s. p99: latency in microseconds."""

    rate: float
    p99: float


def write_requests(path: Path, host: str, credentials: Sequence[Credentials], paths: Sequence[str], headers: Sequence[tuple[str, str]] = ()) -> None:
    """One GET for each path, signed by the credentials in turn."""
    write(path, [signed_request(host, target, credentials[index % len(credentials)], headers) for index, target in enumerate(paths)])


def write(path: Path, requests: Sequence[str]) -> None:
    """Requests as `wrk` takes them."""
    path.write_text("\0".join(requests), newline="")


def signed_request(host: str, target: str, credentials: Credentials, headers: Sequence[tuple[str, str]] = ()) -> str:
    """A GET as it is sent, signed now."""
    given = {"accept": "*/*", **dict(headers)}
    sent = sign("GET", f"http://{host}{target}", given, credentials, SERVICE, REGION, datetime.now(UTC), payload_hash="UNSIGNED-PAYLOAD")
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join(lines) + "\r\n\r\n"


def paced(region: Region, instance: str, urls: Sequence[str], requests: Path, rate: float, seconds: float) -> list[list[list[float]]]:
    """Send the requests of a file at even intervals, to one after the other in turns; microseconds of each request, by target and turn (`paced_client`)."""
    targets = [url.removeprefix("http://").rstrip("/") for url in urls]
    addresses = [target if ":" in target else f"{target}:80" for target in targets]
    client = str(Path(__file__).with_name("paced_client.py"))
    done = region.run(instance, "python3", client, str(requests), f"{rate:.0f}", str(seconds), *addresses, seconds=seconds + 30.0)
    if done.returncode != 0:
        raise RuntimeError(done.stderr or done.stdout)
    found: list[list[list[float]]] = json.loads(done.stdout)
    return found


def wrk(region: Region, instance: str, url: str, requests: Path, seconds: int, *, connections: int = CONNECTIONS) -> Outcome:
    """Send the requests of a file over kept connections. Every answer must be a 200."""
    script = requests.with_suffix(".lua")
    script.write_text(_SCRIPT)
    options = ("-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script))
    done = region.run(instance, "wrk", *options, url, "--", str(requests), seconds=seconds + 30.0)
    return _outcome(done)


def _outcome(done: subprocess.CompletedProcess[str]) -> Outcome:
    rate, p99, wrong = _RATE.search(done.stdout), _P99.search(done.stdout), _WRONG.search(done.stdout)
    if not rate or not p99 or wrong:
        raise RuntimeError(f"wrk: {wrong[0] if wrong else done.stderr or done.stdout}")
    return Outcome(float(rate[1]), float(p99[1]) * _UNITS[p99[2]])
