"""Types of VPC Lattice ("AWS::VpcLattice resource type reference"). Ref is the ARN, except where noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import Fault, Invalid, NotFound
from latticewall.services.cloudformation.resource_types.row import Attribute, Made, Properties, ResourceType, Work

IDENTITY: Mapping[str, Attribute] = {"Arn": "@arn", "Id": "@id"}
TIMES: Mapping[str, Attribute] = {"CreatedAt": "createdAt", "LastUpdatedAt": "lastUpdatedAt"}
DNS: Mapping[str, Attribute] = {"DnsEntry.DomainName": "dnsEntry.domainName", "DnsEntry.HostedZoneId": "dnsEntry.hostedZoneId"}
NETWORK: Mapping[str, Attribute] = {
    "ServiceNetworkArn": "serviceNetworkArn", "ServiceNetworkId": "serviceNetworkId", "ServiceNetworkName": "serviceNetworkName",
}  # fmt: skip


def _type(
    noun: str, properties: str, *, update: bool = True, name: str = "Name:40:lower", attributes: Mapping[str, Attribute] | None = None, **more: Any
) -> ResourceType:
    """A type as nearly all of Lattice's are."""
    member = noun[:1].lower() + noun[1:] + "Identifier"
    return ResourceType(
        f"AWS::VpcLattice::{noun}", properties,
        **{
            "kind": f"vpc-lattice:{noun}", "create": f"vpc-lattice:Create{noun}", "made": "id", "ref": "arn", "key": f"{member}=id", "tagging": "lattice",
            "update": f"vpc-lattice:Update{noun}" if update else "", "delete": f"vpc-lattice:Delete{noun}", "name": name,
            "attributes": {**IDENTITY, **(attributes or {})}, **more,
        },
    )  # fmt: skip


# -- targets -------------------------------------------------------------------------------------------------------------------------------


def _targets(properties: Mapping[str, Any], work: Work) -> list[dict[str, Any]]:
    targets = work.input("vpc-lattice:RegisterTargets", {"Targets": properties.get("Targets") or []}).get("targets") or []
    return [{**target, "id": str(target.get("id", ""))} for target in targets]


def _register(work: Work, made: Made) -> None:
    """Targets can be registered only when the group is there."""
    _set_targets(work, made.row_id, [], _targets(made.properties, work))


def _set_targets(work: Work, group: str, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    gone = [target for target in old if target not in new]
    fresh = [target for target in new if target not in old]
    if gone:
        work.call("vpc-lattice:DeregisterTargets", {"targetGroupIdentifier": group, "targets": gone})
    if fresh:
        answer = work.call("vpc-lattice:RegisterTargets", {"targetGroupIdentifier": group, "targets": fresh})
        for failure in answer.get("unsuccessful") or ():
            raise Invalid(f"Target {failure['id']}: {failure['failureMessage']}", fields=(("targets", failure["id"]),))


def _unset(config: Mapping[str, Any]) -> dict[str, Any]:
    """A health check of which a template says nothing, for an update, in which what is not named stays: a zero and an empty text are the default."""
    protocol = config.get("Protocol") or "HTTP"
    return {
        "Enabled": protocol != "TCP" and config.get("ProtocolVersion", "HTTP1") == "HTTP1", "Protocol": "HTTP" if protocol == "TCP" else protocol,
        "ProtocolVersion": "HTTP1", "Path": "", "Port": 0, "Matcher": {"HttpCode": ""}, "HealthyThresholdCount": 0, "UnhealthyThresholdCount": 0,
        "HealthCheckIntervalSeconds": 0, "HealthCheckTimeoutSeconds": 0,
    }  # fmt: skip


def _change_group(work: Work, made: Made, properties: Properties) -> None:
    config = properties.get("Config") or {}
    if config.get("HealthCheck") != (made.properties.get("Config") or {}).get("HealthCheck"):
        given = work.input("vpc-lattice:UpdateTargetGroup", {"HealthCheck": {**_unset(config), **(config.get("HealthCheck") or {})}})
        work.call("vpc-lattice:UpdateTargetGroup", {"targetGroupIdentifier": made.row_id, **given})
    _set_targets(work, made.row_id, _targets(made.properties, work), _targets(properties, work))


def _empty_group(work: Work, made: Made) -> None:
    registered = work.call("vpc-lattice:ListTargets", {"targetGroupIdentifier": made.row_id})["items"]
    if registered:
        targets = [{member: target[member] for member in ("id", "port") if member in target} for target in registered]
        work.call("vpc-lattice:DeregisterTargets", {"targetGroupIdentifier": made.row_id, "targets": targets})


# -- auth policies -------------------------------------------------------------------------------------------------------------------------


def _put_policy(work: Work, properties: Properties) -> Made:
    """Ref of an auth policy is the identifier of its resource."""
    work.call("vpc-lattice:PutAuthPolicy", work.input("vpc-lattice:PutAuthPolicy", properties))
    return Made(str(properties["ResourceIdentifier"]))


def _change_policy(work: Work, made: Made, properties: Properties) -> None:  # noqa: ARG001 - the signature of the table's functions
    work.call("vpc-lattice:PutAuthPolicy", work.input("vpc-lattice:PutAuthPolicy", properties))


def _delete_policy(work: Work, made: Made) -> None:
    work.call("vpc-lattice:DeleteAuthPolicy", {"resourceIdentifier": made.physical_id})


def _policy_state(ctx: Any, made: Made) -> str:
    return str(ctx.call("vpc-lattice:GetAuthPolicy", {"resourceIdentifier": made.physical_id}).get("state", "Inactive"))


def _put_resource_policy(work: Work, properties: Properties) -> Made:
    """Ref of a resource policy is the ARN of its resource."""
    work.call("vpc-lattice:PutResourcePolicy", work.input("vpc-lattice:PutResourcePolicy", properties))
    return Made(str(properties["ResourceArn"]))


def _change_resource_policy(work: Work, made: Made, properties: Properties) -> None:  # noqa: ARG001 - the signature of the table's functions
    work.call("vpc-lattice:PutResourcePolicy", work.input("vpc-lattice:PutResourcePolicy", properties))


def _delete_resource_policy(work: Work, made: Made) -> None:
    work.call("vpc-lattice:DeleteResourcePolicy", {"resourceArn": made.physical_id})


# -- listeners and rules -------------------------------------------------------------------------------------------------------------------


def _place(work: Work, made: Made) -> dict[str, str]:
    """The identifiers of a listener or rule and what it is in."""
    row = work.ctx.tx.get("vpc-lattice:Listener", made.row_id)
    if row:
        return {"serviceIdentifier": row.parent, "listenerIdentifier": row.id}
    rule = work.ctx.tx.get("vpc-lattice:Rule", made.row_id)
    listener = work.ctx.tx.get("vpc-lattice:Listener", rule.parent) if rule else None
    if rule is None or listener is None:
        raise NotFound(f"{made.physical_id} not found", id=made.physical_id)
    return {"serviceIdentifier": listener.parent, "listenerIdentifier": listener.id, "ruleIdentifier": rule.id}


def _change_in_place(noun: str) -> Any:
    def change(work: Work, made: Made, properties: Properties) -> None:
        mutable = {key: value for key, value in properties.items() if key in ("DefaultAction", "Action", "Match", "Priority")}
        work.call(f"vpc-lattice:Update{noun}", {**_place(work, made), **work.input(f"vpc-lattice:Update{noun}", mutable)})

    return change


def _delete_in_place(noun: str) -> Any:
    def delete(work: Work, made: Made) -> None:
        work.call(f"vpc-lattice:Delete{noun}", _place(work, made))

    return delete


def _service_of(ctx: Any, made: Made) -> Any:
    listener = ctx.tx.get("vpc-lattice:Listener", made.row_id)
    service = ctx.tx.get("vpc-lattice:Service", listener.parent) if listener else None
    if service is None:
        raise Fault(f"{made.physical_id} has no service")
    return service


TYPES = (
    _type("ServiceNetwork", "Name= AuthType SharingConfig=", attributes=TIMES, defaults={"AuthType": "NONE"}),
    _type(
        "Service", "Name= AuthType CertificateArn CustomDomainName= IdleTimeoutSeconds", attributes={**TIMES, **DNS, "Status": "status"},
        defaults={"AuthType": "NONE", "CertificateArn": "", "IdleTimeoutSeconds": 60},
    ),
    _type(
        "TargetGroup",
        "Name= Type=! Config Config.Port= Config.Protocol= Config.ProtocolVersion= Config.IpAddressType= Config.VpcIdentifier= "
        "Config.LambdaEventStructureVersion= Targets",
        name="Name:128:lower", attributes={**TIMES, "Status": "status"}, settled=_register, changing=_change_group, leaving=_empty_group,
        by_hand=frozenset({"Targets"}), parts={"Targets": "Id Port"},
    ),
    _type(
        "Listener", "Name= Port= Protocol=! ServiceIdentifier= DefaultAction!", name="Name:63:lower", changing=_change_in_place("Listener"),
        removing=_delete_in_place("Listener"),
        attributes={"ServiceArn": lambda ctx, made: _service_of(ctx, made).arn, "ServiceId": lambda ctx, made: _service_of(ctx, made).id},
    ),
    _type(
        "Rule", "Name= ListenerIdentifier= ServiceIdentifier= Priority! Match! Action!", name="Name:63:lower", changing=_change_in_place("Rule"),
        removing=_delete_in_place("Rule"),
    ),
    _type(
        "ServiceNetworkVpcAssociation", "ServiceNetworkIdentifier= VpcIdentifier= SecurityGroupIds PrivateDnsEnabled= DnsOptions=", name="",
        attributes={**NETWORK, "CreatedAt": "createdAt", "Status": "status", "VpcId": "vpcId"}, lasting=frozenset({"SecurityGroupIds"}),
    ),
    _type(
        "ServiceNetworkServiceAssociation", "ServiceNetworkIdentifier= ServiceIdentifier=", name="", update=False,
        attributes={
            **NETWORK, **DNS, "CreatedAt": "createdAt", "Status": "status", "ServiceArn": "serviceArn", "ServiceId": "serviceId",
            "ServiceName": "serviceName",
        },
    ),
    _type(
        "ServiceNetworkResourceAssociation", "ServiceNetworkId= ResourceConfigurationId= PrivateDnsEnabled=", name="", update=False,
        renames={"ServiceNetworkId": "serviceNetworkIdentifier", "ResourceConfigurationId": "resourceConfigurationIdentifier"},
    ),
    _type(
        "ResourceGateway",
        "Name=! VpcIdentifier=! SubnetIds=! SecurityGroupIds IpAddressType= Ipv4AddressesPerEni= ResourceConfigDnsResolution",
        defaults={"ResourceConfigDnsResolution": "PUBLIC", "SecurityGroupIds": []},
    ),
    _type(
        "ResourceConfiguration",
        "Name=! ResourceConfigurationType=! ResourceGatewayId= ProtocolType= PortRanges ResourceConfigurationDefinition "
        "ResourceConfigurationGroupId= AllowAssociationToSharableServiceNetwork CustomDomainName= "
        "DomainVerificationId= GroupDomain=",
        renames={
            "ResourceConfigurationType": "type", "ResourceGatewayId": "resourceGatewayIdentifier", "ProtocolType": "protocol",
            "ResourceConfigurationGroupId": "resourceConfigurationGroupIdentifier", "DomainVerificationId": "domainVerificationIdentifier",
            "AllowAssociationToSharableServiceNetwork": "allowAssociationToShareableServiceNetwork",
        },
        defaults={"PortRanges": [], "AllowAssociationToSharableServiceNetwork": False}, lasting=frozenset({"ResourceConfigurationDefinition"}),
    ),
    _type(
        "AccessLogSubscription", "ResourceIdentifier= DestinationArn! ServiceNetworkLogType=", name="",
        attributes={"ResourceArn": "resourceArn", "ResourceId": "resourceId"},
    ),
    _type(
        "DomainVerification", "DomainName=!", name="", update=False, create="vpc-lattice:StartDomainVerification", attributes={"Status": "status"},
    ),
    ResourceType(
        "AWS::VpcLattice::AuthPolicy", "ResourceIdentifier=! Policy!", create="vpc-lattice:PutAuthPolicy", making=_put_policy, changing=_change_policy,
        removing=_delete_policy, attributes={"State": _policy_state},
    ),
    ResourceType(
        "AWS::VpcLattice::ResourcePolicy", "ResourceArn=! Policy!", create="vpc-lattice:PutResourcePolicy", making=_put_resource_policy,
        changing=_change_resource_policy, removing=_delete_resource_policy,
    ),
)  # fmt: skip
