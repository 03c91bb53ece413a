"""How HTTPS listeners are served: which certificate answers to which server name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Certificate:
    """A certificate that Envoy is to have; never its key.

    name: under which filter chains know it, whatever certificate it is at the moment. arn: of ACM's certificate; "" for Lattice's own, which is made for
    `domain`. version: changes when another certificate stands under the same ARN.
    """

    name: str
    arn: str = ""
    domain: str = ""
    version: str = ""


@dataclass(frozen=True)
class ServerNames:
    """What a client may ask for in its first message, and what it is shown. names: lower case, `*.` for one label. idle_timeout: seconds."""

    names: tuple[str, ...]
    certificate: str
    idle_timeout: int = 60
