"""All services of the region, and the look-ups across them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from latticewall.resources.kind import Handler, Kind, Service
from latticewall.store import Snapshot


class Registry:
    """Finds kinds and operations by name. Names must be unique; a clash is a programming error and raises ValueError."""

    def __init__(self, services: Iterable[Service]) -> None:
        self.services: Mapping[str, Service] = {service.name: service for service in services}
        self.kinds: dict[str, Kind] = {}
        for service in self.services.values():
            for kind in service.kinds:
                if kind.name in self.kinds:
                    raise ValueError(f"kind `{kind.name}` is declared twice")
                self.kinds[kind.name] = kind
        self._prefixes = sorted(((kind.id_prefix, kind) for kind in self.kinds.values() if kind.id_prefix), key=lambda pair: -len(pair[0]))

    def is_due(self, rows: Snapshot) -> bool:
        """Whether a service has something to do that only time or another service's resource has brought about."""
        return any(service.is_due(rows) for service in self.services.values() if service.is_due)

    def kind(self, name: str) -> Kind:
        return self.kinds[name]

    def operation(self, service: str, operation: str) -> Handler | None:
        found = self.services.get(service)
        return found.operations.get(operation) if found else None

    def kind_of_id(self, id: str, service: str = "") -> Kind | None:  # noqa: A002
        """The kind whose ids have this prefix ("tgw-attach-..." before "tgw-...")."""
        return next((kind for prefix, kind in self._prefixes if id.startswith(prefix) and service in ("", kind.service)), None)

    def kinds_owned_by(self, kind: Kind) -> tuple[Kind, ...]:
        return tuple(self.kinds[name] for name in kind.owns)
