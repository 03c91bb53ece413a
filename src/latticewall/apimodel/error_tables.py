"""The data of the error dialects: which code each service uses for which fault.

A row's column is `invalid`, `not_found`, `conflict`, `in_use`, `denied`, `limit` or `unsupported`; `not_found Account` is the code for that
noun of the service. Codes are the models' own; where a service models none for the situation, the code its API reference lists as common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_SIGNATURE_FAMILIES = (
    ("IncompleteSignature", "IncompleteSignatureException", "IncompleteSignature"),
    ("MissingAuthenticationToken", "MissingAuthenticationTokenException", "MissingAuthenticationToken"),
    ("SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"),
    ("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"),
    ("ExpiredToken", "ExpiredTokenException", "RequestExpired"),
)

SIGNATURE_CODES: Mapping[str, Mapping[str, str]] = {
    name: {"query": query, "rest-xml": query, "json": json, "rest-json": json, "smithy-rpc-v2-cbor": json, "ec2": ec2}
    for query, json, ec2 in _SIGNATURE_FAMILIES
    for name in (query, json)
}
"""A refused signature under each protocol's name for it, whichever name the fault carries ("Common errors" of the API references)."""

UNMODELLED_STATUS: Mapping[str, int] = {
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "ExpiredToken": 403,
    "ExpiredTokenException": 403,
    "InvalidClientTokenId": 403,
    "InvalidSignatureException": 403,
    "MissingAuthenticationToken": 403,
    "MissingAuthenticationTokenException": 403,
    "OptInRequired": 403,
    "SignatureDoesNotMatch": 403,
    "UnrecognizedClientException": 403,
    "UnknownOperationException": 404,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
}
"""HTTP statuses of the common errors, for the protocols that distinguish them; everything else unmodelled is 400."""

S3_STATUS: Mapping[str, int] = {
    "BucketNotEmpty": 409,
    "IllegalLocationConstraintException": 400,
    "InternalError": 500,
    "InvalidRange": 416,
    "MethodNotAllowed": 405,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchWebsiteConfiguration": 404,
    "NotImplemented": 501,
    "NotModified": 304,
    "ObjectLockConfigurationNotFoundError": 404,
    "OperationAborted": 409,
    "PreconditionFailed": 412,
    "ReplicationConfigurationNotFoundError": 404,
    "ServerSideEncryptionConfigurationNotFoundError": 404,
    "InvalidAccessKeyId": 403,
    "RequestTimeTooSkewed": 403,
}
"""S3's codes that its model does not have and that are not HTTP 400 ("List of error codes")."""

EC2_STATUS: Mapping[str, int] = {
    "AuthFailure": 401,
    "OptInRequired": 401,
    "MissingAuthenticationToken": 403,
    "UnauthorizedOperation": 403,
    "DryRunOperation": 412,
    "InternalError": 500,
    "RequestLimitExceeded": 503,
    "Unavailable": 503,
}
"""EC2's few codes that are not HTTP 400."""

DIALECTS: Mapping[str, Mapping[str, str]] = {
    "vpc-lattice": {
        "invalid": "ValidationException",
        "not_found": "ResourceNotFoundException",
        "conflict": "ConflictException",
        "in_use": "ConflictException",
        "denied": "AccessDeniedException",
        "limit": "ServiceQuotaExceededException",
        "unsupported": "ValidationException",
    },
    "network-firewall": {
        "invalid": "InvalidRequestException",
        "not_found": "ResourceNotFoundException",
        "conflict": "InvalidRequestException",
        "in_use": "InvalidOperationException",
        "denied": "AccessDeniedException",
        "limit": "LimitExceededException",
        "unsupported": "UnsupportedOperationException",
        "page": "InvalidRequestException",
    },
    "iam": {
        "invalid": "ValidationError",
        "not_found": "NoSuchEntity",
        "conflict": "EntityAlreadyExists",
        "in_use": "DeleteConflict",
        "denied": "AccessDenied",
        "limit": "LimitExceeded",
        "unsupported": "ValidationError",
    },
    "sts": {
        "invalid": "ValidationError",
        "not_found": "AccessDenied",
        "conflict": "ValidationError",
        "in_use": "ValidationError",
        "denied": "AccessDenied",
        "limit": "PackedPolicyTooLarge",
        "unsupported": "ValidationError",
    },
    "organizations": {
        "invalid": "InvalidInputException",
        "not_found": "TargetNotFoundException",
        "not_found Account": "AccountNotFoundException",
        "not_found CreateAccountStatus": "CreateAccountStatusNotFoundException",
        "not_found Handshake": "HandshakeNotFoundException",
        "not_found Organization": "AWSOrganizationsNotInUseException",
        "not_found OrganizationalUnit": "OrganizationalUnitNotFoundException",
        "not_found Policy": "PolicyNotFoundException",
        "not_found Root": "RootNotFoundException",
        "conflict": "ConcurrentModificationException",
        "conflict Account": "DuplicateAccountException",
        "conflict Organization": "AlreadyInOrganizationException",
        "conflict OrganizationalUnit": "DuplicateOrganizationalUnitException",
        "conflict Policy": "DuplicatePolicyException",
        "in_use": "ConstraintViolationException",
        "in_use Organization": "OrganizationNotEmptyException",
        "in_use OrganizationalUnit": "OrganizationalUnitNotEmptyException",
        "in_use Policy": "PolicyInUseException",
        "denied": "AccessDeniedException",
        "limit": "ConstraintViolationException",
        "unsupported": "UnsupportedAPIEndpointException",
    },
    "ram": {
        "invalid": "InvalidParameterException",
        "not_found": "UnknownResourceException",
        "not_found ResourceShareInvitation": "ResourceShareInvitationArnNotFoundException",
        "conflict": "OperationNotPermittedException",
        "conflict Permission": "PermissionAlreadyExistsException",
        "conflict ResourceShareInvitation": "ResourceShareInvitationAlreadyAcceptedException",
        "in_use": "OperationNotPermittedException",
        "denied": "AccessDeniedException",
        "limit": "ResourceShareLimitExceededException",
        "limit Permission": "PermissionLimitExceededException",
        "unsupported": "OperationNotPermittedException",
        "page": "InvalidNextTokenException",
    },
    "route53": {
        "invalid": "InvalidInput",
        "invalid ResourceRecordSet": "InvalidChangeBatch",
        "not_found": "InvalidInput",
        "not_found Change": "NoSuchChange",
        "not_found DelegationSet": "NoSuchDelegationSet",
        "not_found HealthCheck": "NoSuchHealthCheck",
        "not_found HostedZone": "NoSuchHostedZone",
        "not_found ResourceRecordSet": "InvalidChangeBatch",
        "not_found VPCAssociation": "VPCAssociationNotFound",
        "conflict": "ConflictingDomainExists",
        "conflict HealthCheck": "HealthCheckAlreadyExists",
        "conflict HostedZone": "HostedZoneAlreadyExists",
        "conflict ResourceRecordSet": "InvalidChangeBatch",
        "in_use": "HostedZoneNotEmpty",
        "in_use HealthCheck": "HealthCheckInUse",
        "in_use VPCAssociation": "LastVPCAssociation",
        "denied": "AccessDenied",
        "limit": "LimitsExceeded",
        "limit HostedZone": "TooManyHostedZones",
        "limit HealthCheck": "TooManyHealthChecks",
        "unsupported": "InvalidInput",
        "page": "InvalidPaginationToken",
    },
    "logs": {
        "invalid": "InvalidParameterException",
        "not_found": "ResourceNotFoundException",
        "conflict": "ResourceAlreadyExistsException",
        "in_use": "OperationAbortedException",
        "denied": "AccessDeniedException",
        "limit": "LimitExceededException",
        "unsupported": "InvalidOperationException",
    },
    "s3": {
        "invalid": "InvalidArgument",
        "not_found": "NoSuchKey",
        "not_found Bucket": "NoSuchBucket",
        "not_found Upload": "NoSuchUpload",
        "conflict": "OperationAborted",
        "in_use": "BucketNotEmpty",
        "denied": "AccessDenied",
        "limit": "TooManyBuckets",
        "unsupported": "NotImplemented",
    },
    "firehose": {
        "invalid": "InvalidArgumentException",
        "not_found": "ResourceNotFoundException",
        "conflict": "ResourceInUseException",
        "in_use": "ResourceInUseException",
        "denied": "AccessDeniedException",
        "limit": "LimitExceededException",
        "unsupported": "InvalidArgumentException",
    },
    "cloudwatch": {
        "invalid": "InvalidParameterValue",
        "not_found": "ResourceNotFound",
        "conflict": "InvalidParameterCombination",
        "in_use": "InvalidParameterCombination",
        "denied": "AccessDenied",
        "limit": "LimitExceeded",
        "unsupported": "InvalidParameterValue",
    },
    "cloudformation": {
        "invalid": "ValidationError",
        "not_found": "ValidationError",
        "not_found ChangeSet": "ChangeSetNotFound",
        "not_found StackSet": "StackSetNotFoundException",
        "not_found StackInstance": "StackInstanceNotFoundException",
        "not_found Type": "TypeNotFoundException",
        "conflict": "AlreadyExistsException",
        "conflict StackSet": "NameAlreadyExistsException",
        "in_use": "ValidationError",
        "in_use StackSet": "StackSetNotEmptyException",
        "denied": "AccessDenied",
        "limit": "LimitExceededException",
        "unsupported": "ValidationError",
    },
    "rds": {
        "invalid": "InvalidParameterValue",
        "not_found": "InvalidParameterValue",
        "not_found DBInstance": "DBInstanceNotFound",
        "not_found DBSubnetGroup": "DBSubnetGroupNotFoundFault",
        "conflict": "InvalidParameterCombination",
        "conflict DBInstance": "DBInstanceAlreadyExists",
        "conflict DBSubnetGroup": "DBSubnetGroupAlreadyExists",
        "in_use": "InvalidDBInstanceState",
        "denied": "AccessDenied",
        "limit": "InstanceQuotaExceeded",
        "unsupported": "InvalidParameterCombination",
    },
    "elbv2": {
        "invalid": "ValidationError",
        "not_found": "ValidationError",
        "not_found LoadBalancer": "LoadBalancerNotFound",
        "not_found Listener": "ListenerNotFound",
        "not_found Rule": "RuleNotFound",
        "not_found TargetGroup": "TargetGroupNotFound",
        "not_found Subnet": "SubnetNotFound",
        "conflict": "InvalidConfigurationRequest",
        "conflict LoadBalancer": "DuplicateLoadBalancerName",
        "conflict TargetGroup": "DuplicateTargetGroupName",
        "in_use": "ResourceInUse",
        "denied": "AccessDenied",
        "limit": "TooManyTargets",
        "unsupported": "InvalidConfigurationRequest",
    },
    "rolesanywhere": {
        "invalid": "ValidationException",
        "not_found": "ResourceNotFoundException",
        "conflict": "ValidationException",
        "in_use": "ValidationException",
        "denied": "AccessDeniedException",
        "limit": "ValidationException",
        "unsupported": "ValidationException",
    },
    "acm": {
        "invalid": "ValidationException",
        "not_found": "ResourceNotFoundException",
        "conflict": "ConflictException",
        "in_use": "ResourceInUseException",
        "denied": "AccessDeniedException",
        "limit": "LimitExceededException",
        "unsupported": "ValidationException",
    },
    "lambda": {
        "invalid": "InvalidParameterValueException",
        "not_found": "ResourceNotFoundException",
        "conflict": "ResourceConflictException",
        "in_use": "ResourceConflictException",
        "denied": "AccessDeniedException",
        "limit": "TooManyRequestsException",
        "unsupported": "InvalidParameterValueException",
    },
    "service-quotas": {
        "invalid": "IllegalArgumentException",
        "not_found": "NoSuchResourceException",
        "conflict": "ResourceAlreadyExistsException",
        "in_use": "InvalidResourceStateException",
        "denied": "AccessDeniedException",
        "limit": "QuotaExceededException",
        "unsupported": "IllegalArgumentException",
    },
    "ssm": {
        "invalid": "ValidationException",
        "not_found": "InvalidResourceId",
        "not_found Parameter": "ParameterNotFound",
        "not_found ParameterVersion": "ParameterVersionNotFound",
        "not_found Document": "InvalidDocument",
        "not_found Instance": "InvalidInstanceId",
        "conflict": "ValidationException",
        "conflict Parameter": "ParameterAlreadyExists",
        "in_use": "ValidationException",
        "denied": "AccessDeniedException",
        "limit": "ResourceLimitExceededException",
        "limit Parameter": "ParameterLimitExceeded",
        "unsupported": "UnsupportedOperationException",
        "page": "InvalidNextToken",
    },
    "ec2": {
        "invalid": "InvalidParameterValue",
        "not_found": "InvalidParameterValue",
        "conflict": "IncorrectState",
        "in_use": "DependencyViolation",
        "denied": "UnauthorizedOperation",
        "limit": "ResourceLimitExceeded",
        "unsupported": "UnsupportedOperation",
        "page": "InvalidNextToken",
    },
}
"""`page` is the code of an invalid page token, where it is not the row's `invalid`."""


@dataclass(frozen=True)
class Ec2Noun:
    """How EC2's codes spell one kind of resource. Empty: the kind has no code of its own for that."""

    not_found: str
    duplicate: str = ""
    limit: str = ""
    in_use: str = ""
    malformed_id: str = ""

    @property
    def malformed(self) -> str:
        """The code for an id of the wrong form."""
        return self.malformed_id or self.not_found.replace(".NotFound", ".Malformed")


_TGW_ATTACHMENT = Ec2Noun("InvalidTransitGatewayAttachmentID.NotFound", "DuplicateTransitGatewayAttachment", "TransitGatewayAttachmentLimitExceeded")
_ASSOCIATION = Ec2Noun("InvalidAssociationID.NotFound", "Resource.AlreadyAssociated")
_PREFIX_LIST = Ec2Noun("InvalidPrefixListID.NotFound")

EC2_NOUNS: Mapping[str, Ec2Noun] = {
    "ec2:Address": Ec2Noun("InvalidAllocationID.NotFound", "Resource.AlreadyAssociated", "AddressLimitExceeded", "InvalidIPAddress.InUse"),
    "ec2:CarrierGateway": Ec2Noun("InvalidCarrierGatewayID.NotFound"),
    "ec2:CustomerGateway": Ec2Noun("InvalidCustomerGatewayID.NotFound"),
    "ec2:DhcpOptions": Ec2Noun("InvalidDhcpOptionID.NotFound"),
    "ec2:EgressOnlyInternetGateway": Ec2Noun("InvalidGatewayID.NotFound"),
    "ec2:FlowLog": Ec2Noun("InvalidFlowLogId.NotFound", "FlowLogAlreadyExists", "FlowLogsLimitExceeded"),
    "ec2:IamInstanceProfileAssociation": _ASSOCIATION,
    "ec2:Image": Ec2Noun("InvalidAMIID.NotFound"),
    "ec2:Instance": Ec2Noun("InvalidInstanceID.NotFound", "IncorrectInstanceState", "InstanceLimitExceeded"),
    "ec2:InternetGateway": Ec2Noun("InvalidInternetGatewayID.NotFound", "Resource.AlreadyAssociated", "InternetGatewayLimitExceeded"),
    "ec2:KeyPair": Ec2Noun("InvalidKeyPair.NotFound", "InvalidKeyPair.Duplicate"),
    "ec2:LaunchTemplate": Ec2Noun("InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.AlreadyExistsException"),
    "ec2:ManagedPrefixList": _PREFIX_LIST,
    "ec2:NatGateway": Ec2Noun("NatGatewayNotFound", limit="NatGatewayLimitExceeded", malformed_id="NatGatewayMalformed"),
    "ec2:NetworkAcl": Ec2Noun("InvalidNetworkAclID.NotFound", limit="NetworkAclLimitExceeded"),
    "ec2:NetworkAclAssociation": _ASSOCIATION,
    "ec2:NetworkAclEntry": Ec2Noun("InvalidNetworkAclEntry.NotFound", "NetworkAclEntryAlreadyExists", "NetworkAclEntryLimitExceeded"),
    "ec2:NetworkInterface": Ec2Noun(
        "InvalidNetworkInterfaceID.NotFound",
        limit="NetworkInterfaceLimitExceeded",
        in_use="InvalidNetworkInterface.InUse",
        malformed_id="InvalidNetworkInterfaceId.Malformed",
    ),
    "ec2:PrefixList": _PREFIX_LIST,
    "ec2:Route": Ec2Noun("InvalidRoute.NotFound", "RouteAlreadyExists", "RouteLimitExceeded"),
    "ec2:RouteTable": Ec2Noun("InvalidRouteTableID.NotFound", limit="RouteTableLimitExceeded", malformed_id="InvalidRouteTableId.Malformed"),
    "ec2:RouteTableAssociation": _ASSOCIATION,
    "ec2:SecurityGroup": Ec2Noun("InvalidGroup.NotFound", "InvalidGroup.Duplicate", "SecurityGroupLimitExceeded", malformed_id="InvalidGroupId.Malformed"),
    "ec2:SecurityGroupRule": Ec2Noun("InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.Duplicate", "RulesPerSecurityGroupLimitExceeded"),
    "ec2:Snapshot": Ec2Noun("InvalidSnapshot.NotFound"),
    "ec2:Subnet": Ec2Noun("InvalidSubnetID.NotFound", "InvalidSubnet.Conflict", "SubnetLimitExceeded"),
    "ec2:SubnetCidrBlockAssociation": Ec2Noun("InvalidSubnetCidrBlockAssociationID.NotFound"),
    "ec2:TransitGateway": Ec2Noun("InvalidTransitGatewayID.NotFound", limit="TransitGatewayLimitExceeded"),
    "ec2:TransitGatewayAttachment": _TGW_ATTACHMENT,
    "ec2:TransitGatewayPeeringAttachment": _TGW_ATTACHMENT,
    "ec2:TransitGatewayRoute": Ec2Noun("InvalidRoute.NotFound", "RouteAlreadyExists"),
    "ec2:TransitGatewayRouteTable": Ec2Noun("InvalidRouteTableID.NotFound", limit="TransitGatewayRouteTableLimitExceeded"),
    "ec2:TransitGatewayVpcAttachment": _TGW_ATTACHMENT,
    "ec2:Volume": Ec2Noun("InvalidVolume.NotFound", in_use="VolumeInUse", malformed_id="InvalidVolumeID.Malformed"),
    "ec2:Vpc": Ec2Noun("InvalidVpcID.NotFound", limit="VpcLimitExceeded"),
    "ec2:VpcCidrBlockAssociation": Ec2Noun("InvalidVpcCidrBlockAssociationID.NotFound"),
    "ec2:VpcEndpoint": Ec2Noun("InvalidVpcEndpointId.NotFound", limit="VpcEndpointLimitExceeded"),
    "ec2:VpcEndpointService": Ec2Noun("InvalidVpcEndpointServiceId.NotFound"),
    "ec2:VpcPeeringConnection": Ec2Noun("InvalidVpcPeeringConnectionID.NotFound", "VpcPeeringConnectionAlreadyExists"),
}
