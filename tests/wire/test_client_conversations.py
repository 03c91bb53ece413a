"""An unmodified botocore client talks to the wire room: its prepared request is routed and parsed, our bytes are its HTTP response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.awsrequest
import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore_side import CATALOG

from latticewall.apimodel.catalog import Operation
from latticewall.base import faults
from latticewall.wire.message import HttpRequest, HttpResponse
from latticewall.wire.parse import parse
from latticewall.wire.route import identify
from latticewall.wire.serialise import serialise, serialise_fault

Handler = Callable[[Operation, dict[str, Any]], dict[str, Any]]


class RawBody:
    """What urllib3 would hand botocore."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        return [self._body]


def client(service: str, handler: Handler) -> BaseClient:
    """A client whose requests are answered in this process, just before they would be sent."""
    session = botocore.session.Session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "secret")
    made = session.create_client(
        service,
        region_name="eu-central-1",
        endpoint_url="http://127.0.0.1:1",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )

    def answer(request: botocore.awsrequest.AWSPreparedRequest, **_: Any) -> botocore.awsrequest.AWSResponse:
        response = respond(service, as_message(request), handler)
        headers = botocore.awsrequest.HeadersDict(dict(response.headers))
        return botocore.awsrequest.AWSResponse(request.url, response.status, headers, RawBody(response.body))

    made.meta.events.register("before-send.*.*", answer)
    return made


def as_message(request: botocore.awsrequest.AWSPreparedRequest) -> HttpRequest:
    path, _, query = request.url.removeprefix("http://127.0.0.1:1").partition("?")
    headers = tuple((name, value.decode() if isinstance(value, bytes) else str(value)) for name, value in request.headers.items())
    body = request.body or b""
    return HttpRequest(request.method, path, query, headers, body.encode() if isinstance(body, str) else bytes(body))


def respond(service: str, message: HttpRequest, handler: Handler) -> HttpResponse:
    signing_name = CATALOG.service(service).signing_name
    assert f"/{signing_name}/aws4_request" in message.header("authorization")
    try:
        operation = identify(CATALOG, message, signing_name)
        return serialise(operation, handler(operation, parse(operation, message)), "request-1")
    except faults.Fault as fault:
        return serialise_fault(CATALOG.service(service), fault, "request-1")


def refusing(fault: faults.Fault) -> Handler:
    def handler(operation: Operation, params: dict[str, Any]) -> dict[str, Any]:
        raise fault

    return handler


def echo(expected: dict[str, Any], document: dict[str, Any]) -> Handler:
    def handler(operation: Operation, params: dict[str, Any]) -> dict[str, Any]:
        assert params == expected
        return document

    return handler


def test_lattice_arn_in_one_segment() -> None:
    arn = "arn:aws:vpc-lattice:eu-central-1:123456789012:service/svc-0123456789abcdef0"
    handler = echo({"serviceIdentifier": arn, "maxResults": 5}, {"items": []})
    answer = client("vpc-lattice", handler).list_listeners(serviceIdentifier=arn, maxResults=5)
    assert answer["items"] == []
    assert answer["ResponseMetadata"]["RequestId"] == "request-1"


def test_lattice_status_codes_are_the_models() -> None:
    made = client("vpc-lattice", lambda operation, params: {"name": params.get("name"), "createdAt": "2026-01-02T03:04:05.678Z"})
    created = made.create_service_network(name="one")
    assert (created["ResponseMetadata"]["HTTPStatusCode"], created["name"]) == (201, "one")
    assert made.delete_service_network(serviceNetworkIdentifier="sn-1")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert made.get_service_network(serviceNetworkIdentifier="sn-1")["createdAt"].isoformat() == "2026-01-02T03:04:05.678000+00:00"


def test_lattice_tag_keys_are_a_repeated_query_field() -> None:
    arn = "arn:aws:vpc-lattice:eu-central-1:123456789012:servicenetwork/sn-1"
    client("vpc-lattice", echo({"resourceArn": arn, "tagKeys": ["a", "b c"]}, {})).untag_resource(resourceArn=arn, tagKeys=["a", "b c"])


def test_ec2_lists_and_nested_names() -> None:
    expected = {
        "Filters": [{"Name": "vpc-id", "Values": ["vpc-1", "vpc-2"]}],
        "SubnetIds": ["subnet-1"],
        "DryRun": False,
    }
    document = {"Subnets": [{"SubnetId": "subnet-1", "Tags": [{"Key": "Name", "Value": "a&b"}], "_secret": 1}], "NextToken": None}
    answer = client("ec2", echo(expected, document)).describe_subnets(**expected)
    assert answer["Subnets"] == [{"SubnetId": "subnet-1", "Tags": [{"Key": "Name", "Value": "a&b"}]}]
    assert "NextToken" not in answer


def test_ec2_answers_return_true_where_it_has_no_output() -> None:
    operation = CATALOG.operation("ec2:DeleteVpc")
    assert operation.output is None
    assert b"<return>true</return>" in serialise(operation, {}, "r").body
    assert b"<requestId>r</requestId>" in serialise(operation, {}, "r").body


def test_ec2_namespace_ends_with_a_slash() -> None:
    body = serialise(CATALOG.operation("ec2:DescribeVpcs"), {"Vpcs": []}, "r").body
    assert b'<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">' in body
    assert b"<vpcSet/>" in body


def test_iam_policy_documents_arrive_decoded() -> None:
    text = '{"Version":"2012-10-17","Statement":[{"Sid":"50% + more"}]}'
    answer = client("iam", echo({"RoleName": "web"}, {"Role": {"RoleName": "web", "AssumeRolePolicyDocument": text}})).get_role(RoleName="web")
    assert answer["Role"]["AssumeRolePolicyDocument"] == {"Version": "2012-10-17", "Statement": [{"Sid": "50% + more"}]}


def test_route53_body_and_location_header() -> None:
    expected = {"Name": "example.com", "CallerReference": "1", "HostedZoneConfig": {"PrivateZone": True}}
    document = {"HostedZone": {"Id": "/hostedzone/Z1", "Name": "example.com."}, "Location": "https://example/Z1"}
    answer = client("route53", echo(expected, document)).create_hosted_zone(**expected)
    assert answer["HostedZone"]["Name"] == "example.com."
    assert (answer["Location"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("https://example/Z1", 201)


CASES = [
    ("vpc-lattice", "get_service", faults.NotFound("no such", kind="vpc-lattice:Service", id="svc-1"), "ResourceNotFoundException", 404),
    ("vpc-lattice", "list_services", faults.LimitExceeded("too many"), "ServiceQuotaExceededException", 402),
    ("vpc-lattice", "list_services", faults.Unsupported("not there yet"), "ValidationException", 400),
    ("network-firewall", "list_firewalls", faults.InUse("in use"), "InvalidOperationException", 400),
    ("network-firewall", "list_firewalls", faults.Conflict("stale", code="InvalidTokenException"), "InvalidTokenException", 400),
    ("network-firewall", "list_firewalls", faults.Unsupported("no"), "UnsupportedOperationException", 400),
    ("iam", "list_roles", faults.NotFound("The role with name x cannot be found."), "NoSuchEntity", 404),
    ("iam", "list_roles", faults.Conflict("exists"), "EntityAlreadyExists", 409),
    ("iam", "list_roles", faults.InUse("in use"), "DeleteConflict", 409),
    ("sts", "get_caller_identity", faults.Denied("bad", code="SignatureDoesNotMatch"), "SignatureDoesNotMatch", 403),
    ("organizations", "describe_organization", faults.NotFound("none", kind="organizations:Organization"), "AWSOrganizationsNotInUseException", 400),
    ("ram", "get_resource_share_associations", faults.NotFound("none"), "UnknownResourceException", 400),
    ("route53", "list_hosted_zones", faults.NotFound("none", kind="route53:HostedZone"), "NoSuchHostedZone", 404),
    ("route53", "list_hosted_zones", faults.Conflict("twice", kind="route53:HostedZone"), "HostedZoneAlreadyExists", 409),
    ("logs", "describe_log_groups", faults.Conflict("exists"), "ResourceAlreadyExistsException", 400),
    ("logs", "describe_log_groups", faults.Denied("bad", code="SignatureDoesNotMatch"), "InvalidSignatureException", 400),
    ("cloudformation", "list_stacks", faults.NotFound("Stack with id x does not exist"), "ValidationError", 400),
    ("cloudformation", "list_stacks", faults.NotFound("none", kind="cloudformation:ChangeSet"), "ChangeSetNotFound", 404),
    ("ssm", "describe_parameters", faults.NotFound("none", kind="ssm:Parameter"), "ParameterNotFound", 400),
    ("ec2", "describe_vpcs", faults.NotFound("The vpc ID 'vpc-1' does not exist", kind="ec2:Vpc", id="vpc-1"), "InvalidVpcID.NotFound", 400),
    ("ec2", "describe_vpcs", faults.InUse("has dependencies", kind="ec2:Vpc"), "DependencyViolation", 400),
    ("ec2", "describe_vpcs", faults.Unsupported("no"), "UnsupportedOperation", 400),
    ("ec2", "describe_vpcs", faults.Denied("bad", code="SignatureDoesNotMatch"), "AuthFailure", 401),
]


@pytest.mark.parametrize(("service", "method", "fault", "code", "status"), CASES)
def test_refusals_are_read_by_the_client(service: str, method: str, fault: faults.Fault, code: str, status: int) -> None:
    made = client(service, refusing(fault))
    params = {"serviceIdentifier": "svc-1"} if method == "get_service" else {}
    with pytest.raises(ClientError) as caught:
        getattr(made, method)(**params)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert answer["Error"]["Message"] == fault.message
    assert answer["ResponseMetadata"]["RequestId"] == "request-1"


def test_modelled_members_reach_the_client() -> None:
    fault = faults.NotFound("no such service", kind="vpc-lattice:Service", id="svc-1")
    made = client("vpc-lattice", refusing(fault))
    with pytest.raises(made.exceptions.ResourceNotFoundException) as caught:
        made.get_service(serviceIdentifier="svc-1")
    assert (caught.value.response["resourceId"], caught.value.response["resourceType"]) == ("svc-1", "service")


def test_field_lists_reach_the_client() -> None:
    fault = faults.Invalid("1 validation error detected: x", fields=(("name", "too long"),))
    made = client("vpc-lattice", refusing(fault))
    with pytest.raises(made.exceptions.ValidationException) as caught:
        made.create_service(name="x")
    assert caught.value.response["reason"] == "fieldValidationFailed"
    assert caught.value.response["fieldList"] == [{"name": "name", "message": "too long"}]


def test_network_firewall_spells_message_with_a_capital() -> None:
    response = serialise_fault(CATALOG.service("network-firewall"), faults.Invalid("bad"), "r")
    assert b'"Message":"bad"' in response.body
    assert response.header("content-type") == "application/x-amz-json-1.0"


def test_unknown_operations_in_each_dialect() -> None:
    def refused(message: HttpRequest, signing_name: str) -> tuple[str, str]:
        with pytest.raises(faults.Invalid) as caught:
            identify(CATALOG, message, signing_name)
        service = CATALOG.find_by_signing(signing_name)[0]
        return serialise_fault(service, caught.value, "r").body.decode(), caught.value.code

    form = (("Content-Type", "application/x-www-form-urlencoded"),)
    assert "<Code>InvalidAction</Code>" in refused(HttpRequest("POST", "/", "", form, b"Action=Nope&Version=2016-11-15"), "ec2")[0]
    assert "Could not find operation Nope for version 2010-05-08" in refused(HttpRequest("GET", "/", "Action=Nope&Version=2010-05-08"), "iam")[0]
    assert refused(HttpRequest("POST", "/", "", (("X-Amz-Target", "Logs_20140328.Nope"),)), "logs")[1] == "UnknownOperationException"
    assert '"reason":"unknownOperation"' in refused(HttpRequest("GET", "/nope"), "vpc-lattice")[0]


def test_a_signature_for_one_service_opens_no_other() -> None:
    target = HttpRequest("POST", "/", "", (("X-Amz-Target", "AWSOrganizationsV20161128.DescribeOrganization"),), b"{}")
    with pytest.raises(faults.Denied, match="scoped to correct service: 'organizations'"):
        identify(CATALOG, target, "logs")
    for message in (HttpRequest("GET", "/", "Action=ListUsers&Version=2010-05-08"), HttpRequest("GET", "/services")):
        with pytest.raises(faults.Invalid):
            identify(CATALOG, message, "ec2")
