"""Requests to a region's endpoint: latticewall's own ones, signed with the administrator's key."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from latticewall.auth.sigv4 import Credentials, sign
from latticewall.faces.cli.problem import Problem

SIGNING_NAME = "latticewall"
"""As `faces.http.SIGNING_NAME`, which is not imported: it brings the whole control plane along."""
PREFIX = "/_latticewall/"


class Refused(Exception):
    """The region's answer was a fault. code: AWS's error code; "" where the answer has none."""

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(f"{message} ({code})" if code else message)
        self.message = message
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Client:
    """The region at `endpoint` (http://host:port). credentials: None asks unsigned, which only `health` answers."""

    endpoint: str
    region: str
    credentials: Credentials | None = None

    def ask(self, path: str, params: Mapping[str, Any] | None = None, seconds: float = 60.0) -> Any:
        """An inner request. Raises Refused, and Problem when nobody answers within `seconds`."""
        url = f"{self.endpoint}{PREFIX}{path}"
        body = json.dumps(dict(params or {})).encode()
        headers = {"Content-Type": "application/json"}
        if self.credentials is not None:
            headers = sign("POST", url, headers, self.credentials, SIGNING_NAME, self.region, datetime.now(UTC), body=body)
        try:
            status, text = self._post(url, headers, body, seconds)
        except (OSError, http.client.HTTPException) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            raise Problem(f"the region at {self.endpoint} does not answer {path}: {reason}; see `latticewall status`") from None
        try:
            answer = json.loads(text)
        except ValueError:
            raise Problem(f"what answers at {self.endpoint} is not a latticewall region: status {status} without JSON") from None
        if status != 200:
            raise Refused(str(answer.get("message", text)), str(answer.get("code", "")), status)
        return answer

    @staticmethod
    def _post(url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> tuple[int, bytes]:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
        try:
            connection.request("POST", parts.path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
