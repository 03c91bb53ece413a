"""AWS::CertificateManager::Certificate ("AWS resource and property types reference").

Validated by DNS: CloudFormation puts the records into the hosted zones that DomainValidationOptions name, and leaves them there. A certificate whose record
nobody puts anywhere would never be issued: its creation fails.
"""

from __future__ import annotations

from typing import Any

from latticewall.services.cloudformation import text
from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work

_LOGGING = "CertificateTransparencyLoggingPreference"
_BY_HAND = ("DomainValidationOptions", _LOGGING, "Tags")
_TTL = 300


def _make(work: Work, properties: Properties) -> Made:
    params = work.input("acm:RequestCertificate", {name: value for name, value in properties.items() if name not in _BY_HAND})
    params = {"ValidationMethod": "DNS", **params, "Options": {_LOGGING: properties.get(_LOGGING) or "ENABLED"}}
    if work.tags:
        params["Tags"] = [{"Key": key, "Value": value} for key, value in work.tags.items()]
    arn = work.call("acm:RequestCertificate", params)["CertificateArn"]
    zones = {str(one["DomainName"]).lower(): str(one.get("HostedZoneId") or "") for one in properties.get("DomainValidationOptions") or ()}
    records: dict[str, tuple[str, dict[str, Any]]] = {}
    for option in _described(work, arn)["DomainValidationOptions"]:
        zone = zones.get(option["DomainName"]) or zones.get(option["ValidationDomain"])
        if zone:
            records[option["ResourceRecord"]["Name"]] = zone, option["ResourceRecord"]
    for zone, record in records.values():
        wanted = {"Name": record["Name"], "Type": record["Type"], "TTL": _TTL, "ResourceRecords": [{"Value": record["Value"]}]}
        changes = [{"Action": "UPSERT", "ResourceRecordSet": wanted}]
        work.call("route53:ChangeResourceRecordSets", {"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}})
    if (found := _described(work, arn))["Status"] != "ISSUED":
        missing = [one["DomainName"] for one in found["DomainValidationOptions"] if one["ValidationStatus"] != "SUCCESS"]
        raise text.invalid(f"{', '.join(missing)} cannot be validated: name the HostedZoneId of a public hosted zone in DomainValidationOptions")
    return Made(arn, arn.rpartition("/")[2])


def _described(work: Work, arn: str) -> dict[str, Any]:
    certificate: dict[str, Any] = work.call("acm:DescribeCertificate", {"CertificateArn": arn})["Certificate"]
    return certificate


def _change(work: Work, made: Made, properties: Properties) -> None:
    options = {_LOGGING: properties.get(_LOGGING) or "ENABLED"}
    work.call("acm:UpdateCertificateOptions", {"CertificateArn": made.physical_id, "Options": options})


TYPES = (
    ResourceType(
        "AWS::CertificateManager::Certificate",
        "DomainName=! SubjectAlternativeNames= DomainValidationOptions= ValidationMethod= KeyAlgorithm= CertificateAuthorityArn= "
        f"{_LOGGING}",
        kind="acm:Certificate", create="acm:RequestCertificate", making=_make, changing=_change, key="CertificateArn=arn", delete="acm:DeleteCertificate",
        tagging="acm", by_hand=frozenset(_BY_HAND[:2]), parts={"DomainValidationOptions": "DomainName HostedZoneId ValidationDomain"},
    ),
)  # fmt: skip
