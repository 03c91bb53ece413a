"""How the region's endpoint is served, wherever it listens."""

from __future__ import annotations

from typing import Any

import uvicorn

IDLE_SECONDS = 75
"""How long a connection may wait for its next request."""


def server_config(app: Any, **options: Any) -> uvicorn.Config:
    """A caller's address is that of his connection: what a request says about forwarding is believed from nobody, not from this machine either, as
    policies ask for the address (aws:SourceIp). app: an ASGI application. options: uvicorn's; http=QuickHttp for an app that can answer at once."""
    fixed = {"ws": "none", "log_level": "warning", "access_log": False, "lifespan": "off", "timeout_keep_alive": IDLE_SECONDS, "proxy_headers": False}
    return uvicorn.Config(app, **{"http": "httptools", **fixed, **options})
