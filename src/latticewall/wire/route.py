"""Which operation a request asks for.

JSON names it in `X-Amz-Target`, query and EC2 in the fields `Action` and `Version`, REST by method and path. The signing name (from the
credential scope) says which service a path or action belongs to; an operation of another service is never found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

from latticewall.apimodel.catalog import CBOR, Catalog, Operation, Service
from latticewall.apimodel.error_dialects import unknown_operation
from latticewall.base.faults import Denied, Invalid
from latticewall.wire.message import HttpRequest
from latticewall.wire.uri_template import UriTemplate, split, uri_template

Route = tuple[UriTemplate, Operation]


def identify(catalog: Catalog, request: HttpRequest, signing_name: str | None) -> Operation:
    """The operation of a request.

    signing_name: the service of the credential scope; None for a request without a signature. Raises Invalid with the service's own code
    when there is no such operation, Denied when the request was signed for another service.
    """
    if request.header("smithy-protocol") == "rpc-v2-cbor":
        return _by_cbor_path(catalog, request, signing_name)
    target = request.header("x-amz-target")
    if target:
        operation = _by_target(catalog, target, signing_name)
        if signing_name and operation.service.signing_name != signing_name:
            expected = operation.service.signing_name
            raise Denied(f"Credential should be scoped to correct service: '{expected}'.", code="SignatureDoesNotMatch")
        return operation
    services = catalog.find_by_signing(signing_name) if signing_name else _named_by_path(catalog)
    if catalog.queried(services) and (action := _action(request)):
        return _by_action(catalog, action, request.form.get("Version", ""), services)
    rest = [service for service in services if service.protocol in ("rest-json", "rest-xml")]
    found = _by_path(rest, request)
    if found is None:
        service = service_of(catalog, request, signing_name)
        asked = f"{request.method} {request.raw_path}"
        raise unknown_operation(service, asked) if service else Invalid(f"Unknown operation {asked}", code="UnknownOperationException")
    return found


def service_of(catalog: Catalog, request: HttpRequest, signing_name: str | None) -> Service | None:
    """The service a request is meant for, even if it names no operation of it: whose dialect to refuse it in."""
    if request.header("smithy-protocol") == "rpc-v2-cbor":
        words = [*request.raw_path.strip("/").split("/"), ""]
        spoken = [service.speaking(CBOR) for service in catalog.services() if CBOR in service.protocols]
        return next((service for service in spoken if service.target_prefix == words[1]), None)
    prefix = request.header("x-amz-target").rpartition(".")[0]
    if prefix:
        return next((service for service in catalog.services() if service.target_prefix == prefix), None)
    services = catalog.find_by_signing(signing_name) if signing_name else _named_by_path(catalog)
    if _action(request):
        version = request.form.get("Version", "")
        queried = catalog.queried(services)
        return next((service for service in queried if service.api_version == version), queried[0] if signing_name and queried else None)
    if signing_name:
        return services[0] if services else None
    operation = _by_path([service for service in services if service.protocol in ("rest-json", "rest-xml")], request)
    return operation.service if operation else None


def _named_by_path(catalog: Catalog) -> tuple[Service, ...]:
    """The services that a request without signature may be meant for. Any path at all is a bucket's or an object's: S3 is never guessed."""
    return tuple(service for service in catalog.services() if service.name != "s3")


def _action(request: HttpRequest) -> str:
    """The query protocols' action; empty for other requests and for bodies that are no form."""
    try:
        return request.form.get("Action", "")
    except ValueError:
        return ""


def _by_cbor_path(catalog: Catalog, request: HttpRequest, signing_name: str | None) -> Operation:
    operation = catalog.find_by_cbor_path(request.raw_path)
    if operation is None:
        service = service_of(catalog, request, signing_name)
        name = request.raw_path.rpartition("/")[2]
        raise unknown_operation(service, name) if service else Invalid(f"Unknown operation {name}", code="UnknownOperationException")
    if signing_name and operation.service.signing_name != signing_name:
        raise Denied(f"Credential should be scoped to correct service: '{operation.service.signing_name}'.", code="SignatureDoesNotMatch")
    return operation


def _by_target(catalog: Catalog, target: str, signing_name: str | None) -> Operation:
    operation = catalog.find_by_target(target)
    if operation is not None:
        return operation
    prefix, _, name = target.rpartition(".")
    service = next((service for service in catalog.services() if service.target_prefix == prefix and prefix), None)
    if service is None and signing_name:
        service = next(iter(catalog.find_by_signing(signing_name)), None)
    raise unknown_operation(service, name) if service else Invalid(f"Unknown target {target}", code="UnknownOperationException")


def _by_action(catalog: Catalog, action: str, version: str, services: Iterable[Service]) -> Operation:
    """By action and version among the services in question; a version we do not hold is read as the one we do."""
    queried = catalog.queried(services)
    found = catalog.find_by_query_version(action, version)
    if found is not None and found.service in queried:
        return found
    for service in queried:
        if action in service.operations:
            return service.operations[action]
    raise unknown_operation(next((service for service in queried if service.api_version == version), queried[0]), action, version)


def _by_path(services: Iterable[Service], request: HttpRequest) -> Operation | None:
    fields = _query_fields(request)
    segments = split(request.raw_path)
    for service in services:
        routes = _routes_of(service, request.method, len(segments))
        for template, operation in routes.get(segments[0] if segments else "", routes[_ANY]):
            if all(field in fields or (not field[1] and any(name == field[0] for name, _ in fields)) for field in template.query):
                try:
                    labels = template.match(request.raw_path)
                except ValueError:
                    return None
                if labels is not None:
                    return _told_apart(service, operation, request)
    return None


def _told_apart(service: Service, found: Operation, request: HttpRequest) -> Operation:
    """Of the operations with one method and path (S3's PutObject, CopyObject, UploadPart) the one of which most is there that it requires."""
    twins = _twins(service, found)
    if len(twins) == 1:
        return twins[0]
    fields = {name for name, _ in _query_fields(request)}
    wanted = {one.name: _demanded(one) for one in twins}
    fitting = [one for one in twins if all(name in fields if query else request.header(name) for name, query in wanted[one.name])]
    return max(fitting or twins[:1], key=lambda one: len(wanted[one.name]))


def _demanded(operation: Operation) -> tuple[tuple[str, bool], ...]:
    """(name, whether of the query rather than a header) of the required members that are neither in the path nor in the body."""
    shape = operation.input
    members = {name: shape.members[name] for name in shape.required} if shape else {}
    return tuple((one.location_name or name, one.location == "querystring") for name, one in members.items() if one.location in ("querystring", "header"))


def _query_fields(request: HttpRequest) -> tuple[tuple[str, str], ...]:
    try:
        return request.query
    except ValueError:
        return ()


@cache
def _twins(service: Service, found: Operation) -> tuple[Operation, ...]:
    """Those with the same method and path, deprecated ones only when there are no others."""
    twins = [one for template, one in _routes(service)[found.method] if template == uri_template(found.request_uri)]
    return tuple([one for one in twins if not one.deprecated] or twins)


_ANY = ""


@lru_cache(4096)
def _routes_of(service: Service, method: str, count: int) -> Mapping[str, tuple[Route, ...]]:
    """Those whose path may have so many segments, by the first of them: under a literal also those that begin with a label, which under _ANY are alone."""
    fitting = [route for route in _routes(service).get(method, ()) if route[0].greedy or len(route[0].segments) == count]
    firsts = [route[0].segments[0] if route[0].segments and not route[0].segments[0].startswith("{") else _ANY for route in fitting]
    return {first: tuple(route for route, own in zip(fitting, firsts, strict=True) if own in (first, _ANY)) for first in (_ANY, *firsts)}


@cache
def _routes(service: Service) -> dict[str, list[Route]]:
    """The templates of a service by method, the most specific first."""
    routes: dict[str, list[Route]] = {}
    for operation in service.operations.values():
        routes.setdefault(operation.method, []).append((uri_template(operation.request_uri), operation))
    for templates in routes.values():
        templates.sort(key=lambda route: (route[0].greedy, [not literal for literal in route[0].literals]))
    return routes
