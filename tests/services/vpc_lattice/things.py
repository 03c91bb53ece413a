"""One of everything that VPC Lattice's API creates, and what it takes to create another."""

from __future__ import annotations

from typing import Any

from .region import Region

NOT_FOUND: dict[str, Any] = {"fixedResponse": {"statusCode": 404}}


def call(client: Any, operation: str, /, **params: Any) -> Any:
    """Perform an operation, by its own name, through a boto3 client."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation)
    return getattr(client, words[1:])(**params)


class Things:
    """ids, arns: of the first of each noun, all ready, each tagged with its noun."""

    TAGGABLE = (
        "ServiceNetwork", "Service", "Listener", "Rule", "TargetGroup", "ResourceGateway", "ResourceConfiguration", "ServiceNetworkServiceAssociation",
        "ServiceNetworkVpcAssociation", "ServiceNetworkResourceAssociation", "AccessLogSubscription", "DomainVerification",
    )  # fmt: skip
    """In an order in which they can be made."""

    def __init__(self, region: Region) -> None:
        self.region, self.ids, self.arns = region, dict[str, str](), dict[str, str]()
        self.vpc = region.vpc()
        self.subnet = region.subnet(self.vpc)
        for noun in self.TAGGABLE:
            made = self.make(noun, **self.params(noun, 0), tags={"made": noun})
            self.ids[noun], self.arns[noun] = made["id"], made["arn"]
            region.settle()
        region.ec2.create_vpc_endpoint(
            VpcEndpointType="Resource", VpcId=self.vpc, SubnetIds=[self.subnet], ResourceConfigurationArn=self.arns["ResourceConfiguration"]
        )
        region.settle()
        reached = region.lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier=self.ids["ResourceConfiguration"])["items"][0]
        self.ids["ResourceEndpointAssociation"], self.arns["ResourceEndpointAssociation"] = reached["id"], reached["arn"]

    def make(self, noun: str, **params: Any) -> dict[str, Any]:
        """Create one, by the operation of that noun."""
        operation = "StartDomainVerification" if noun == "DomainVerification" else f"Create{noun}"
        return dict(self.call(operation, **params))

    def call(self, operation: str, lattice: Any = None, /, **params: Any) -> Any:
        """As `call`. lattice: another account's client."""
        return call(lattice or self.region.lattice, operation, **params)

    def params(self, noun: str, number: int) -> dict[str, Any]:
        """What the creation of the number-th one is given: as little as will do. Makes what another association needs to be of."""
        region, ids, name = self.region, self.ids, f"a-{noun.lower()[:20]}-{number}"
        of = {f"{one[:1].lower()}{one[1:]}Identifier": ids.get(one) for one in ("ServiceNetwork", "Service", "Listener", "ResourceGateway")}
        network, service, gateway = ({member: of[member]} for member in ("serviceNetworkIdentifier", "serviceIdentifier", "resourceGatewayIdentifier"))
        if noun == "Listener":
            return {"name": name, "protocol": "HTTP", "port": 80 + number, "defaultAction": NOT_FOUND, **service}
        if noun == "Rule":
            listener = {"listenerIdentifier": of["listenerIdentifier"], **service}
            return {"name": name, "priority": number + 1, "match": {"httpMatch": {"method": "GET"}}, "action": NOT_FOUND, **listener}
        if noun == "TargetGroup":
            return {"name": name, "type": "IP", "config": {"port": 80, "protocol": "HTTP", "vpcIdentifier": self.vpc}}
        if noun == "ResourceGateway":
            return {"name": name, "vpcIdentifier": self.vpc, "subnetIds": [self.subnet]}
        if noun == "ResourceConfiguration":
            where = {"ipResource": {"ipAddress": f"10.0.1.{number + 7}"}}
            return {"name": name, "type": "SINGLE", "resourceConfigurationDefinition": where, **gateway}
        if noun == "ServiceNetworkServiceAssociation":
            return {**network, "serviceIdentifier": region.service(name) if number else ids["Service"]}
        if noun == "ServiceNetworkVpcAssociation":
            return {**network, "vpcIdentifier": region.vpc() if number else self.vpc}
        if noun == "ServiceNetworkResourceAssociation":
            other = region.configuration(ids["ResourceGateway"], name) if number else ids["ResourceConfiguration"]
            return {**network, "resourceConfigurationIdentifier": other}
        if noun == "AccessLogSubscription":
            return {"resourceIdentifier": ids["Service" if number else "ServiceNetwork"], "destinationArn": region.log_group(f"/lattice/{number}")}
        return {"domainName": f"d{number}.example.com"} if noun == "DomainVerification" else {"name": name}
