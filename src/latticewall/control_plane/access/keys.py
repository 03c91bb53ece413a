"""Condition keys that a service adds to a request: out of its parameters, and out of the resource asked about.

Pages: "Condition keys for Amazon VPC Lattice", "... for AWS Identity and Access Management (IAM)", "... for AWS Organizations", "... for Amazon Route 53",
"... for AWS CloudFormation", "... for AWS Systems Manager", "... for AWS Certificate Manager", "... for AWS Elastic
Load Balancing V2", "... for Amazon RDS". EC2's are in `ec2_keys`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.base.organization_policies import MANAGED
from latticewall.control_plane.access.ec2_keys import Keys, ec2_keys
from latticewall.control_plane.access.named import Named
from latticewall.resources import tags
from latticewall.resources.context import Context

Source = Callable[[Context, Operation, Mapping[str, Any], Named], Keys]


def keys_of(ctx: Context, operation: Operation, params: Mapping[str, Any], resource: Named) -> Keys:
    """The service's own keys for one question of a call."""
    source = SOURCES.get(operation.service.name)
    return source(ctx, operation, params, resource) if source else {}


def given(params: Mapping[str, Any], members: Mapping[str, str]) -> Keys:
    """Keys that repeat members of the request. members: key -> dotted path, several separated by spaces; texts, numbers, booleans and lists count."""
    found: Keys = {}
    for key, paths in members.items():
        for path in paths.split():
            value: Any = params
            for step in path.split("."):
                value = value.get(step) if isinstance(value, Mapping) else None
            if value not in (None, "", []):
                found[key] = _spelled(value)
    return found


def _spelled(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- VPC Lattice ------------------------------------------------------------------------------------------------------------------------------------------

LATTICE_MEMBERS = {
    "vpc-lattice:AuthType": "authType",
    "vpc-lattice:DomainName": "domainName",
    "vpc-lattice:PrivateDnsPreference": "dnsOptions.privateDnsPreference",
    "vpc-lattice:PrivateDnsSpecifiedDomains": "dnsOptions.privateDnsSpecifiedDomains",
    "vpc-lattice:Protocol": "protocol",
    "vpc-lattice:SecurityGroupIds": "securityGroupIds",
    "vpc-lattice:VpcEndpointId": "vpcEndpointId",
    "vpc-lattice:VpcId": "vpcIdentifier config.vpcIdentifier",
}
LATTICE_STORED = {
    "vpc-lattice:DomainName": "domainName",
    "vpc-lattice:VpcEndpointId": "vpcEndpointId",
    "vpc-lattice:VpcId": "vpcId config.vpcIdentifier",
}
"""Keys that are of the resource, not "specified in the request": what it keeps, for whatever is done with it."""
LATTICE_ENDS = {
    "vpc-lattice:ResourceConfigurationArn": ("vpc-lattice:ResourceConfiguration", "resourceConfigurationIdentifier"),
    "vpc-lattice:ServiceArn": ("vpc-lattice:Service", "serviceIdentifier"),
    "vpc-lattice:ServiceNetworkArn": ("vpc-lattice:ServiceNetwork", "serviceNetworkIdentifier"),
}
"""What an association joins: key -> (kind, member of the creation); the association keeps the id as `serviceId` and the like."""
WITH_AUTH_TYPE = ("CreateService", "CreateServiceNetwork")


def _lattice(ctx: Context, operation: Operation, params: Mapping[str, Any], resource: Named) -> Keys:
    found = {**given(resource.row.document if resource.row else {}, LATTICE_STORED), **given(params, LATTICE_MEMBERS)}
    if operation.name in WITH_AUTH_TYPE:
        found.setdefault("vpc-lattice:AuthType", "NONE")
    if operation.name.startswith("Create"):
        found["vpc-lattice:CreateAction"] = operation.name
    groups = tuple(_target_groups(ctx, params))
    if groups:
        found["vpc-lattice:TargetGroupArns"] = groups
    if "Association" in operation.name:
        found |= _ends(ctx, params, resource)
    return found


def _target_groups(ctx: Context, params: Mapping[str, Any]) -> Iterator[str]:
    """ARNs of the target groups that a listener or rule would forward to."""
    actions = [params.get("defaultAction"), params.get("action"), *(rule.get("action") for rule in params.get("rules") or ())]
    for action in actions:
        for group in ((action or {}).get("forward") or {}).get("targetGroups") or ():
            identifier = str(group.get("targetGroupIdentifier") or "")
            row = ctx.find("vpc-lattice:TargetGroup", identifier)
            yield row.arn if row else identifier


def _ends(ctx: Context, params: Mapping[str, Any], resource: Named) -> Keys:
    """The two sides of an association, as asked for or as stored."""
    document = resource.row.document if resource.row and resource.type.endswith("association") else {}
    found: Keys = {}
    for key, (kind, member) in LATTICE_ENDS.items():
        if given_end := str(params.get(member) or ""):
            row = ctx.tx.by_arn(given_end) if given_end.startswith("arn:") else ctx.find(kind, given_end)
        else:
            row = ctx.tx.get(kind, str(document.get(member.removesuffix("entifier")) or ""))
        if row is not None and row.kind == kind:
            found[key] = row.arn
    return found


# -- IAM --------------------------------------------------------------------------------------------------------------------------------------------------


def _iam(_: Context, operation: Operation, params: Mapping[str, Any], resource: Named) -> Keys:
    found: Keys = {}
    if operation.name.startswith(("Attach", "Detach")):
        found |= given(params, {"iam:PolicyARN": "PolicyArn"})
    if resource.type in ("role", "user"):
        document = resource.row.document if resource.row else {}
        boundary = params.get("PermissionsBoundary") or (document.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        found |= {"iam:PermissionsBoundary": str(boundary)} if boundary else {}
        found |= {f"iam:ResourceTag/{key}": value for key, value in resource.tags.items()}
    return {**found, **given(params, {"iam:AWSServiceName": "AWSServiceName"})}


# -- RAM --------------------------------------------------------------------------------------------------------------------------------------------------


def _ram(ctx: Context, operation: Operation, params: Mapping[str, Any], resource: Named) -> Keys:
    found = given(params, {
        "ram:Principal": "principals", "ram:ResourceArn": "resourceArns", "ram:PermissionArn": "permissionArns permissionArn",
        "ram:RequestedAllowsExternalPrincipals": "allowExternalPrincipals",
    })  # fmt: skip
    if operation.name == "CreateResourceShare":
        found.setdefault("ram:RequestedAllowsExternalPrincipals", "true")
    types = {type_ for arn in params.get("resourceArns") or () if (row := ctx.tx.by_arn(str(arn))) and (type_ := row.kind)}
    if types:
        found["ram:RequestedResourceType"] = tuple(sorted(types))
    share = resource.row if resource.type == "resourceshare" else ctx.tx.get("ram:ResourceShare", resource.row.parent) if resource.row else None
    if share is not None and share.kind == "ram:ResourceShare":
        found |= {
            "ram:ResourceShareName": share.name, "ram:ShareOwnerAccountId": share.account,
            "ram:AllowsExternalPrincipals": str(share.document["allowExternalPrincipals"]).lower(),
        }  # fmt: skip
    return found


# -- the others -------------------------------------------------------------------------------------------------------------------------------------------


def _organizations(ctx: Context, _: Operation, params: Mapping[str, Any], __: Named) -> Keys:
    found = given(params, {"organizations:PolicyType": "Type PolicyType Filter", "organizations:ServicePrincipal": "ServicePrincipal"})
    if policy := str(params.get("PolicyId") or ""):
        row, managed = ctx.tx.get("organizations:Policy", policy), MANAGED.get(policy)
        type_ = managed.type if managed else row.document["Type"] if row else ""
        found |= {"organizations:PolicyType": str(type_)} if type_ else {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _route53(_: Context, __: Operation, params: Mapping[str, Any], ___: Named) -> Keys:
    found: Keys = {}
    if vpc := params.get("VPC"):
        found["route53:VPCs"] = (f"VPCId={vpc.get('VPCId')},VPCRegion={vpc.get('VPCRegion')}",)
    changes = (params.get("ChangeBatch") or {}).get("Changes") or ()
    if changes:
        records = [change.get("ResourceRecordSet") or {} for change in changes]
        prefix = "route53:ChangeResourceRecordSets"
        found[f"{prefix}NormalizedRecordNames"] = tuple(sorted({str(record.get("Name")).lower().rstrip(".") for record in records}))
        found[f"{prefix}RecordTypes"] = tuple(sorted({str(record.get("Type")) for record in records}))
        found[f"{prefix}Actions"] = tuple(sorted({str(change.get("Action")) for change in changes}))
    return found


CLOUDFORMATION_MEMBERS = {
    "cloudformation:ChangeSetName": "ChangeSetName",
    "cloudformation:ResourceTypes": "ResourceTypes",
    "cloudformation:RoleArn": "RoleARN",
    "cloudformation:TemplateUrl": "TemplateURL",
}
ACM_MEMBERS = {
    "acm:CertificateAuthority": "CertificateAuthorityArn",
    "acm:CertificateTransparencyLogging": "Options.CertificateTransparencyLoggingPreference",
    "acm:Export": "Options.Export",
    "acm:KeyAlgorithm": "KeyAlgorithm",
    "acm:ValidationMethod": "ValidationMethod",
}


def _acm(_: Context, operation: Operation, params: Mapping[str, Any], __: Named) -> Keys:
    if operation.name != "RequestCertificate":
        return given(params, {"acm:Export": "Options.Export"})
    names = (params.get("DomainName"), *(params.get("SubjectAlternativeNames") or ()))
    defaults: Keys = {"acm:ValidationMethod": "EMAIL", "acm:KeyAlgorithm": "RSA_2048", "acm:CertificateTransparencyLogging": "ENABLED"}
    return {**defaults, **given(params, ACM_MEMBERS), "acm:DomainNames": tuple(str(name).lower() for name in names if name)}


SSM_MEMBERS = {"ssm:Overwrite": "Overwrite", "ssm:Recursive": "Recursive"}
LOAD_BALANCING_MEMBERS = {
    "elasticloadbalancing:ListenerProtocol": "Protocol",
    "elasticloadbalancing:Scheme": "Scheme",
    "elasticloadbalancing:SecurityGroup": "SecurityGroups",
    "elasticloadbalancing:SecurityPolicy": "SslPolicy",
    "elasticloadbalancing:Subnet": "Subnets",
}


def _load_balancing(_: Context, operation: Operation, params: Mapping[str, Any], resource: Named) -> Keys:
    protocol = {"elasticloadbalancing:ListenerProtocol"} if "Listener" not in operation.name else set()
    found = {key: value for key, value in given(params, LOAD_BALANCING_MEMBERS).items() if key not in protocol}
    return {**found, **{f"elasticloadbalancing:ResourceTag/{key}": value for key, value in resource.tags.items()}}


RDS_MEMBERS = {
    "rds:BackupTarget": "BackupTarget", "rds:CopyTagsToSnapshot": "CopyTagsToSnapshot", "rds:DatabaseClass": "DBInstanceClass",
    "rds:DatabaseEngine": "Engine", "rds:DatabaseName": "DBName", "rds:ManageMasterUserPassword": "ManageMasterUserPassword", "rds:MultiAz": "MultiAZ",
    "rds:PubliclyAccessible": "PubliclyAccessible", "rds:StorageEncrypted": "StorageEncrypted", "rds:StorageSize": "AllocatedStorage",
}  # fmt: skip
RDS_TAG_KEYS = {"db": "db-tag", "subgrp": "subgrp-tag"}


def _rds(_: Context, __: Operation, params: Mapping[str, Any], resource: Named) -> Keys:
    """What a DB instance is, as asked for or else as stored; tags under RDS's own names too."""
    found = {**given(resource.row.document if resource.row else {}, RDS_MEMBERS), **given(params, RDS_MEMBERS)}
    found["rds:Vpc"] = "true"
    own = RDS_TAG_KEYS.get(resource.type)
    found |= {f"rds:{own}/{key}": value for key, value in resource.tags.items()} if own else {}
    return found | {f"rds:req-tag/{key}": value for key, value in tags.read(params.get("Tags")).items()}


SOURCES: Mapping[str, Source] = {
    "acm": _acm,
    "cloudwatch": lambda _, __, params, ___: given(params, {"cloudwatch:namespace": "Namespace"}),
    "cloudformation": lambda _, __, params, ___: given(params, CLOUDFORMATION_MEMBERS),
    "ec2": ec2_keys,
    "elbv2": _load_balancing,
    "iam": _iam,
    "lambda": lambda _, __, params, ___: given(params, {"lambda:Principal": "Principal"}),
    "organizations": _organizations,
    "ram": _ram,
    "rds": _rds,
    "route53": _route53,
    "ssm": lambda _, __, params, ___: given(params, SSM_MEMBERS),
    "vpc-lattice": _lattice,
}
