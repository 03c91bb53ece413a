"""Instance metadata, versions 1 and 2: a request of a known instance in, a response out. Pure but for the time given.

AWS: "Use the Instance Metadata Service to access instance metadata", "Retrieve security credentials from instance metadata".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from latticewall.base.secret import Secret
from latticewall.dataplane.names import tokens
from latticewall.dataplane.names.request import BadRequest, Request
from latticewall.plan.names import MetadataInstance

TOKEN_PATH = "/latest/api/token"  # noqa: S105 - the path, not a token
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "x-aws-ec2-metadata-token"  # noqa: S105 - the header's name
CREDENTIALS = "meta-data/iam/security-credentials"
VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01",
    "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24",
    "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23", "2021-07-15", "2022-09-24", "2024-04-11", "latest",
)  # fmt: skip
"""As AWS lists them. Older ones show on AWS what they had then; here all show the same, which clients that ask for a version find more than enough."""

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Not Allowed",
    413: "Request Entity Too Large",
    503: "Service Unavailable",
}
_ERROR_PAGE = (
    '<?xml version="1.0" encoding="iso-8859-1"?>\n'
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n'
    '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
    '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
    " <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
)


@dataclass(frozen=True)
class Response:
    """body never printed: it may hold credentials."""

    status: int
    body: Secret
    content_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self, *, head_only: bool, keep_alive: bool) -> bytes:
        body = self.body.reveal().encode("utf-8", "surrogateescape")
        fields = (
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(body))),
            *self.headers,
            ("Server", "EC2ws"),
            ("Connection", "keep-alive" if keep_alive else "close"),
        )
        head = f"HTTP/1.1 {self.status} {_REASONS[self.status]}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
        return head.encode("latin-1") + (b"" if head_only else body)


def refusal(status: int) -> Response:
    """The page AWS answers an error with."""
    return Response(status, Secret(_ERROR_PAGE.format(title=f"{status} - {_REASONS[status]}")), "text/html")


class MetadataTree:
    """The documents of one instance as a tree of files below /latest/; a folder answers with the list of what is in it."""

    def __init__(self, instance: MetadataInstance, credentials: Secret | None) -> None:
        self._files = {path: Secret(text) for path, text in instance.documents}
        if instance.role_name:
            self._files[f"{CREDENTIALS}/{instance.role_name}"] = credentials or _cannot_assume(instance)
        self._folders = _folders(self._files)

    def read(self, path: str) -> tuple[Secret, str] | None:
        """(text, content type) of a path below /latest/, None when there is nothing. A final slash changes nothing: SDKs ask for files with one."""
        path = path.removesuffix("/")
        if path in self._files:
            return self._files[path], "application/octet-stream" if path == "user-data" else "text/plain"
        entries = self._folders.get(path)
        if entries is None:
            return None
        return Secret("\n".join(entries if path else [entry.removesuffix("/") for entry in entries])), "text/plain"


def respond(request: Request, instance: MetadataInstance, tree: MetadataTree, key: bytes, now: float) -> Response:
    """What the instance's metadata service answers. now: monotonic seconds."""
    try:
        if instance.http_endpoint != "enabled" or "x-forwarded-for" in request.headers:
            return refusal(403)  # a proxy adds X-Forwarded-For: a request that came through one is not the instance's own
        if request.body_bytes:
            return refusal(413)
        if request.method == "PUT":
            return _issue_token(request, instance, key, now)
        if request.method not in ("GET", "HEAD"):
            return refusal(405)
        token = request.header(TOKEN_HEADER)
        if token is None and instance.http_tokens != "optional":
            return refusal(401)
        if token is not None and not tokens.valid(key, instance.instance_id, token, now):
            return refusal(401)
    except BadRequest:
        return refusal(400)
    return _read(request.path, tree)


def _issue_token(request: Request, instance: MetadataInstance, key: bytes, now: float) -> Response:
    if request.path != TOKEN_PATH:
        return refusal(403 if request.path.endswith("/api/token") else 405)
    ttl = request.header(TTL_HEADER) or ""
    if not (ttl.isascii() and ttl.isdigit() and len(ttl) <= 5 and 1 <= int(ttl) <= tokens.MAX_TTL_SECONDS):
        return refusal(400)
    token = tokens.issue(key, instance.instance_id, int(ttl), now)
    return Response(200, Secret(token), headers=(("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", str(int(ttl))),))


def _read(path: str, tree: MetadataTree) -> Response:
    if path == "/":
        return Response(200, Secret("\n".join(VERSIONS)))
    version, _, below = path.removeprefix("/").partition("/")
    found = tree.read(below) if version in VERSIONS else None
    if found is None:
        return refusal(405 if path.removesuffix("/") == TOKEN_PATH else 404)
    return Response(200, found[0], found[1])


def _folders(files: Iterable[str]) -> dict[str, list[str]]:
    """The sorted entries of every folder, those that are folders themselves with a final slash; the root is ""."""
    folders: dict[str, set[str]] = {"": set()}
    for path in files:
        parts = path.split("/")
        for depth, part in enumerate(parts):
            last = depth == len(parts) - 1
            folders.setdefault("/".join(parts[:depth]), set()).add(part if last else f"{part}/")
    return {path: sorted(entries) for path, entries in folders.items()}


def _cannot_assume(instance: MetadataInstance) -> Secret:
    """What AWS hands out, with status 200, when a profile's role gives no credentials."""
    message = f"EC2 cannot assume the role {instance.role_name}. Please see documentation at https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html."
    return Secret(json.dumps({"Code": "AssumeRoleUnauthorizedAccess", "Message": message}, indent=2))
