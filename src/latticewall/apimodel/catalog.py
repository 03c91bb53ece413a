"""The services, operations and shapes of AWS, loaded once from botocore's JSON models with our overlays on top."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import resources
from typing import Any

from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import Loader

from latticewall.apimodel.shapes import Shape
from latticewall.base.faults import Unsupported

IN_SCOPE = (
    "ec2",
    "vpc-lattice",
    "elbv2",
    "network-firewall",
    "iam",
    "sts",
    "organizations",
    "ram",
    "route53",
    "logs",
    "cloudformation",
    "ssm",
    "service-quotas",
    "rolesanywhere",
    "acm",
    "firehose",
    "cloudwatch",
    "s3",
    "lambda",
    "rds",
)
"""The services a region serves, by botocore's names."""

PROTOCOLS = ("json", "rest-json", "rest-xml", "query", "ec2")
"""The protocols `wire` speaks, in the order in which an SDK prefers them when a service offers several."""
CBOR = "smithy-rpc-v2-cbor"
"""One more: newer SDKs prefer it, and say so in every request."""


UNFLAGGED_TOKENS = {"ram": "clientToken"}
"""Idempotency tokens that a service's documentation has and its model does not mark."""
ACTION_PREFIXES = {"monitoring": "cloudwatch"}
"""How IAM actions begin where that is not the signing name."""


class Operation:
    """One operation of a service: its shapes and where it lives on the wire."""

    def __init__(self, service: Service, name: str, model: Mapping[str, Any], page: Mapping[str, Any] | None) -> None:
        self.service = service
        self.name = name
        self.page_model = page
        self._model = model
        http: Mapping[str, Any] = model.get("http", {})
        self.method: str = http.get("method", "POST")
        self.request_uri: str = http.get("requestUri", "/")
        self.status: int = int(http.get("responseCode", 200))

    def __repr__(self) -> str:
        return f"Operation({self.qualified_name})"

    @cached_property
    def qualified_name(self) -> str:
        """`ec2:CreateVpc`: the name of the call and of the IAM action."""
        return f"{self.service.name}:{self.name}"

    @cached_property
    def input(self) -> Shape | None:
        reference = self._model.get("input")
        return self.service.resolve(reference) if reference else None

    @cached_property
    def output(self) -> Shape | None:
        reference = self._model.get("output")
        return self.service.resolve(reference) if reference else None

    @cached_property
    def streams_events(self) -> bool:
        """Whether it answers with an event stream."""
        return self.output is not None and any(member.event_stream for member in self.output.members.values())

    @cached_property
    def errors(self) -> tuple[Shape, ...]:
        """The errors the model lists for this operation."""
        return tuple(self.service.resolve(reference) for reference in self._model.get("errors", ()))

    @cached_property
    def idempotency_tokens(self) -> tuple[str, ...]:
        """The input members whose repetition must not repeat the effect."""
        members = self.input.members if self.input else {}
        unflagged = UNFLAGGED_TOKENS.get(self.service.name)
        return tuple(name for name, shape in members.items() if shape.idempotency_token or name == unflagged)

    @property
    def unsigned(self) -> bool:
        """AWS accepts this call without a signature (web identity, SAML)."""
        return self._model.get("authtype") == "none"

    @property
    def deprecated(self) -> bool:
        """Another operation took its place (S3's GetBucketNotification: GetBucketNotificationConfiguration)."""
        return bool(self._model.get("deprecated"))


class Service:
    """One AWS service as its model describes it. `name` is botocore's."""

    def __init__(self, name: str, model: Mapping[str, Any], pages: Mapping[str, Any]) -> None:
        metadata: Mapping[str, Any] = model["metadata"]
        self.name = name
        self.metadata = metadata
        self.endpoint_prefix: str = metadata["endpointPrefix"]
        self.signing_name: str = metadata.get("signingName", self.endpoint_prefix)
        self.api_version: str = metadata["apiVersion"]
        self.target_prefix: str = metadata.get("targetPrefix", "")
        self.json_version: str = metadata.get("jsonVersion", "1.0")
        self.protocols: tuple[str, ...] = tuple(metadata.get("protocols", (metadata["protocol"],)))
        self._model = model
        self._pages = pages
        self._shapes: dict[str, Shape] = {}
        self._speaking: dict[str, Service] = {}

    def __repr__(self) -> str:
        return f"Service({self.name})"

    @property
    def action_prefix(self) -> str:
        """How the service's IAM actions begin, and the service of its ARNs."""
        return ACTION_PREFIXES.get(self.signing_name, self.signing_name)

    @cached_property
    def protocol(self) -> str:
        """The protocol its clients speak. Raises Unsupported if it is none of ours."""
        chosen = next((protocol for protocol in PROTOCOLS if protocol in self.protocols), None)
        if chosen is None:
            raise Unsupported(f"service {self.name} speaks only {', '.join(self.protocols)}, which is not implemented")
        return chosen

    def speaking(self, protocol: str) -> Service:
        """The same service in another of its protocols: its operations are read, answered and refused in that one."""
        if protocol == self.protocol:
            return self
        if protocol not in self._speaking:
            other = Service(self.name, self._model, self._pages)
            other.__dict__["protocol"] = protocol
            self._speaking[protocol] = other
        return self._speaking[protocol]

    @cached_property
    def xml_namespace(self) -> str:
        """The namespace of answers. EC2's ends with a slash on the wire although the model omits it."""
        namespace = str(self.metadata.get("xmlNamespace", ""))
        if not namespace and self.protocol == "rest-xml":
            namespace = f"https://{self.endpoint_prefix}.amazonaws.com/doc/{self.api_version}/"
        return namespace if not namespace or namespace.endswith("/") else f"{namespace}/"

    @cached_property
    def operations(self) -> Mapping[str, Operation]:
        return {name: Operation(self, name, model, self._pages.get(name)) for name, model in self._model["operations"].items()}

    @cached_property
    def errors(self) -> Mapping[str, Shape]:
        """The modelled errors by their code on the wire."""
        shapes = (self.shape(name) for name, traits in self._model["shapes"].items() if traits.get("exception"))
        return {shape.error_code: shape for shape in shapes}

    def shape(self, name: str) -> Shape:
        """The shape of that name without any member's traits."""
        shape = self._shapes.get(name)
        if shape is None:
            shape = self._shapes[name] = Shape(name, self._model["shapes"][name], self)
        return shape

    def resolve(self, reference: Mapping[str, Any]) -> Shape:
        """The shape a member, list or operation refers to, with the reference's own traits on top."""
        name: str = reference["shape"]
        own = {trait: value for trait, value in reference.items() if trait not in ("shape", "documentation")}
        if not own:
            return self.shape(name)
        return Shape(name, {**self._model["shapes"][name], **own}, self)


class Catalog:
    """Every service model, each parsed at its first use and kept. `names` are the services that requests may address."""

    def __init__(self, names: Sequence[str] = IN_SCOPE) -> None:
        self.names = tuple(names)
        self._loader = Loader()
        self._services: dict[str, Service] = {}
        self._signed_as: dict[str, tuple[Service, ...]] = {}

    def service(self, name: str) -> Service:
        """The service of that botocore name, in scope or not. Raises Unsupported if botocore has no such service."""
        service = self._services.get(name)
        if service is None:
            service = self._services[name] = self._load(name)
        return service

    def operation(self, qualified_name: str) -> Operation:
        """The operation `service:Name`. Raises Unsupported if there is none."""
        service_name, _, name = qualified_name.partition(":")
        operation = self.service(service_name).operations.get(name)
        if operation is None:
            raise Unsupported(f"{service_name} has no operation {name}")
        return operation

    def services(self) -> Iterator[Service]:
        """The services in scope."""
        return map(self.service, self.names)

    def find_by_signing(self, signing_name: str) -> tuple[Service, ...]:
        """The services in scope whose requests are signed with that name."""
        if signing_name not in self._signed_as:
            found = tuple(service for service in self.services() if service.signing_name == signing_name)
            if not found:
                return ()  # any text at all may stand in a request
            self._signed_as[signing_name] = found
        return self._signed_as[signing_name]

    def find_by_target(self, target: str) -> Operation | None:
        """The operation of an `X-Amz-Target: <prefix>.<Operation>` header."""
        prefix, _, name = target.rpartition(".")
        found = (service for service in self.services() if prefix and service.target_prefix == prefix)
        return next((service.operations[name] for service in found if name in service.operations), None)

    def find_by_query_version(self, action: str, version: str) -> Operation | None:
        """The operation of a query or EC2 request: an action and the API version that tells services apart."""
        found = (service for service in self.queried(self.services()) if service.api_version == version)
        return next((service.operations[action] for service in found if action in service.operations), None)

    @staticmethod
    def queried(services: Iterable[Service]) -> list[Service]:
        """Those that take forms with an action, as they speak then."""
        return [service.speaking(protocol) for service in services for protocol in ("query", "ec2") if protocol in service.protocols]

    def find_by_cbor_path(self, path: str) -> Operation | None:
        """The operation of `/service/<prefix>/operation/<Operation>`."""
        words = path.strip("/").split("/")
        if len(words) != 4 or (words[0], words[2]) != ("service", "operation"):
            return None
        found = (service for service in self.services() if words[1] and service.target_prefix == words[1] and CBOR in service.protocols)
        return next((service.speaking(CBOR).operations[words[3]] for service in found if words[3] in service.operations), None)

    def _load(self, name: str) -> Service:
        try:
            model: dict[str, Any] = self._loader.load_service_model(name, "service-2")
        except UnknownServiceError:
            raise Unsupported(f"there is no AWS service {name}") from None
        overlay = resources.files(__package__).joinpath("overlays", f"{name}.json")
        if overlay.is_file():
            model = overlaid(model, json.loads(overlay.read_text(encoding="utf-8")))
        return Service(name, model, self._pages(name))

    def _pages(self, name: str) -> Mapping[str, Any]:
        try:
            pages: Mapping[str, Any] = self._loader.load_service_model(name, "paginators-1")["pagination"]
        except (UnknownServiceError, DataNotFoundError):
            return {}
        return pages


def overlaid(model: Mapping[str, Any], overlay: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The model with each deviation `{"path": [...], "value": ..., "source": ...}` applied; the model itself stays as it was.

    The path walks mappings and must exist up to its last step, so that a deviation about something botocore renamed is noticed.
    """
    result = dict(model)
    for deviation in overlay:
        *steps, last = deviation["path"]
        place = result
        for step in steps:
            if step not in place:
                raise KeyError(f"the overlay's path {deviation['path']} is not in the model")
            place[step] = dict(place[step])
            place = place[step]
        place[last] = deviation["value"]
    return result
