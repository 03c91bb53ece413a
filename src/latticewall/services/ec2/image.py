"""Images: there is one, the machine that latticewall runs on. Instances share its file system and kernel."""

from __future__ import annotations

import hashlib
import platform

from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import text
from latticewall.services.ec2.describe import paths, select

FILTERS = paths(
    "architecture image-id image-type name owner-id platform-details root-device-name root-device-type state "
    "virtualization-type hypervisor description creation-date ena-support",
    is_public="Public", owner_alias="ImageOwnerAlias",
    block_device_mapping__volume_type="BlockDeviceMappings.Ebs.VolumeType",
)  # fmt: skip
OWNER = "137112412989"
"""Amazon's account for Amazon Linux images: tools look for its images by owner and by names such as al2023-ami-2023*."""
_PARAMETER = "resolve:ssm:"


def architecture() -> str:
    """EC2's word for the machine's processor: x86_64 or arm64."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def host_image(region: str) -> Document:
    """The Describe answer for the machine's image. Its id stays the same for a region."""
    processor = architecture()
    identifier = "ami-" + hashlib.sha256(f"host image {region} {processor}".encode()).hexdigest()[:17]
    return {
        "ImageId": identifier, "Name": f"al2023-ami-2023.0.latticewall-host-{processor}", "ImageLocation": "amazon/latticewall-host", "OwnerId": OWNER,
        "Description": "the machine that latticewall runs on: instances share its file system and kernel", "ImageOwnerAlias": "amazon",
        "Architecture": processor, "ImageType": "machine", "State": "available", "Public": True, "CreationDate": "2026-01-01T00:00:00.000Z",
        "Hypervisor": "xen", "VirtualizationType": "hvm", "RootDeviceType": "instance-store", "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances", "EnaSupport": True, "BlockDeviceMappings": [], "ProductCodes": [], "Tags": [],
    }  # fmt: skip


def find_at_launch(ctx: Context, named: str) -> Document:
    """The image of RunInstances: an id, or resolve:ssm: and the parameter that holds it ("Reference AMIs using Systems Manager parameters")."""
    if not named.startswith(_PARAMETER):
        return find(ctx, named)
    parameter = named.removeprefix(_PARAMETER)
    found = ctx.call("ssm:GetParameters", {"Names": [parameter]})["Parameters"]
    if not found:
        raise text.invalid("InvalidParameterValue", f"Invalid value '{named}' for ImageId. The parameter '{parameter}' does not exist")
    return find(ctx, found[0]["Value"])


def find(ctx: Context, identifier: str) -> Document:
    """The image with that id. Raises InvalidAMIID.Malformed or InvalidAMIID.NotFound."""
    if not identifier.startswith("ami-"):
        raise text.invalid("InvalidAMIID.Malformed", f'Invalid id: "{identifier}" (expecting "ami-...")')
    image = host_image(ctx.caller.region)
    if identifier != image["ImageId"]:
        raise text.not_found("InvalidAMIID.NotFound", f"The image id '[{identifier}]' does not exist")
    return image


def describe_images(ctx: Context, params: Document) -> Document:
    """DescribeImages, by id, owner, user and filter."""
    image = host_image(ctx.caller.region)
    for identifier in params.get("ImageIds") or ():
        find(ctx, identifier)
    owners, users = params.get("Owners") or (), params.get("ExecutableUsers") or ()
    if (owners and not {"amazon", OWNER}.intersection(owners)) or (users and not {"all", "self", ctx.caller.account}.intersection(users)):
        return {"Images": []}
    return {"Images": select([image], params.get("Filters"), FILTERS)}
