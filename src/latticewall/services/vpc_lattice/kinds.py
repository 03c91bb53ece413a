"""VPC Lattice's resource kinds: ids, ARNs, what refers to what, and which of them the data plane must follow."""

from __future__ import annotations

from typing import Any

from latticewall.resources.kind import Kind, Lifecycle, Ref
from latticewall.services.vpc_lattice import associations, endpoint_associations, nouns, resource_gateway, target_group, text, view

ARN = "arn:aws:vpc-lattice:{region}:{account}:"
SETTLES = Lifecycle(member="status", spelling=text.STATUS, settles=True)
FOLLOWS = Lifecycle(member="status", spelling={**text.STATUS, "updating": "ACTIVE"}, settles=True)
"""For kinds whose API has no status for an update."""
HEALS = Lifecycle(member="status", spelling=text.STATUS, settles=True, heals=True)
PARTIAL = Lifecycle(member="status", spelling={**text.STATUS, "updating": "ACTIVE", "impaired": "PARTIAL"}, settles=True, heals=True)


def _kind(name: str, prefix: str, tail: str, cloudformation: str, **more: Any) -> Kind:
    """A kind as nearly all of Lattice's are: id, arn and name under these members, times shown."""
    return Kind(
        name=name, id_member="id", id_prefix=prefix, arn_member="arn", arn=ARN + tail + "/{id}", cloudformation=f"AWS::VpcLattice::{cloudformation}",
        **{"shows": view.times, **more},
    )  # fmt: skip


def _named(name: str, prefix: str, tail: str, cloudformation: str, **more: Any) -> Kind:
    return _kind(name, prefix, tail, cloudformation, **{"name_member": "name", "unique": "region", **more})


_NETWORK = {"serviceNetworkIdentifier": Ref(nouns.SERVICE_NETWORK)}

KINDS = (
    _named(
        nouns.SERVICE_NETWORK, "sn-", "servicenetwork", "ServiceNetwork", view=view.service_network, owns=(nouns.ACCESS_LOG_SUBSCRIPTION,)
    ),
    _named(nouns.SERVICE, "svc-", "service", "Service", lifecycle=FOLLOWS, owns=(nouns.LISTENER, nouns.ACCESS_LOG_SUBSCRIPTION),
        refs={"certificateArn": Ref(nouns.CERTIFICATE)},
   ),
    _named(nouns.LISTENER, "listener-", "service/{parent}/listener", "Listener", unique="parent", owns=(nouns.RULE,)),
    _named(nouns.RULE, "rule-", "rule", "Rule", unique="parent", shows=view.rule, refs={"targetGroups": Ref(nouns.TARGET_GROUP)}),
    _named(
        nouns.TARGET_GROUP, "tg-", "targetgroup", "TargetGroup", lifecycle=FOLLOWS, view=target_group.shown, removing=target_group.leave,
        refs={"vpcIdentifier": Ref(nouns.VPC)},
    ),
    _kind(
        nouns.SERVICE_ASSOCIATION, "snsa-", "servicenetworkserviceassociation", "ServiceNetworkServiceAssociation", lifecycle=FOLLOWS,
        view=view.association, removing=associations.refuse_in_progress, refs={**_NETWORK, "serviceIdentifier": Ref(nouns.SERVICE)},
    ),
    _kind(
        nouns.VPC_ASSOCIATION, "snva-", "servicenetworkvpcassociation", "ServiceNetworkVpcAssociation", lifecycle=SETTLES, view=view.association,
        removing=associations.refuse_in_progress,
        refs={**_NETWORK, "vpcIdentifier": Ref(nouns.VPC), "securityGroupIds": Ref(nouns.SECURITY_GROUP)},
    ),
    _kind(
        nouns.RESOURCE_ASSOCIATION, "snra-", "servicenetworkresourceassociation", "ServiceNetworkResourceAssociation", lifecycle=PARTIAL,
        view=view.resource_association,
        refs={
            **_NETWORK, "resourceConfigurationIdentifier": Ref(nouns.RESOURCE_CONFIGURATION),
            "child": Ref(nouns.RESOURCE_CONFIGURATION, "cascade"), "group": Ref(nouns.RESOURCE_ASSOCIATION, "cascade"),
        },
    ),
    _named(
        nouns.RESOURCE_GATEWAY, "rgw-", "resourcegateway", "ResourceGateway", lifecycle=SETTLES, shows=view.resource_gateway,
        removing=resource_gateway.release,
        refs={
            "vpcIdentifier": Ref(nouns.VPC), "subnetIds": Ref(nouns.SUBNET), "securityGroupIds": Ref(nouns.SECURITY_GROUP),
            "interfaces": Ref(nouns.NETWORK_INTERFACE),
        },
    ),
    _named(
        nouns.RESOURCE_CONFIGURATION, "rcfg-", "resourceconfiguration", "ResourceConfiguration", lifecycle=HEALS, view=view.resource_configuration,
        owns=(nouns.ACCESS_LOG_SUBSCRIPTION,),
        refs={
            "resourceGatewayIdentifier": Ref(nouns.RESOURCE_GATEWAY), "resourceConfigurationGroupIdentifier": Ref(nouns.RESOURCE_CONFIGURATION),
            "domainVerificationIdentifier": Ref(nouns.DOMAIN_VERIFICATION, "clear"),
        },
    ),
    Kind(
        nouns.ENDPOINT_ASSOCIATION, id_member="id", id_prefix="snvea-", view=endpoint_associations.view_of_network,
        refs={**_NETWORK, "vpcEndpointId": Ref(nouns.VPC_ENDPOINT, "cascade")},
    ),
    Kind(
        nouns.RESOURCE_ENDPOINT_ASSOCIATION, id_member="id", id_prefix="rea-", arn_member="arn", arn=ARN + "resourceendpointassociation/{id}",
        view=endpoint_associations.view_of_resource,
        refs={"resourceConfigurationIdentifier": Ref(nouns.RESOURCE_CONFIGURATION), "vpcEndpointId": Ref(nouns.VPC_ENDPOINT, "cascade")},
    ),
    _kind(nouns.ACCESS_LOG_SUBSCRIPTION, "als-", "accesslogsubscription", "AccessLogSubscription"),
    _kind(nouns.DOMAIN_VERIFICATION, "dv-", "domainverification", "DomainVerification", shows=view.domain_verification),
)  # fmt: skip
