"""Instances after their launch: showing, starting, stopping, ending, attributes ("Amazon EC2 instance state changes")."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.ec2 import instance_type, network_interface, run_instances, text
from latticewall.services.ec2.describe import choose, paths, select
from latticewall.services.ec2.requests import boolean, only

FILTERS = paths(
    "architecture image-id instance-id instance-type subnet-id vpc-id private-ip-address ipv6-address launch-time hypervisor virtualization-type "
    "root-device-type source-dest-check client-token",
    availability_zone="Placement.AvailabilityZone", availability_zone_id="Placement.AvailabilityZoneId", private_dns_name="PrivateDnsName",
    dns_name="PublicDnsName", tenancy="Placement.Tenancy", key_name="KeyName", ip_address="PublicIpAddress", launch_index="AmiLaunchIndex",
    instance_state_name="State.Name", instance_state_code="State.Code", monitoring_state="Monitoring.State", owner_id="_OwnerId",
    reservation_id="_ReservationId", iam_instance_profile__arn="IamInstanceProfile.Arn", iam_instance_profile__id="IamInstanceProfile.Id",
    instance__group_id="SecurityGroups.GroupId", instance__group_name="SecurityGroups.GroupName", group_id="SecurityGroups.GroupId",
    metadata_options__http_tokens="MetadataOptions.HttpTokens", metadata_options__http_endpoint="MetadataOptions.HttpEndpoint",
    network_interface__network_interface_id="NetworkInterfaces.NetworkInterfaceId", network_interface__subnet_id="NetworkInterfaces.SubnetId",
    network_interface__vpc_id="NetworkInterfaces.VpcId", network_interface__group_id="NetworkInterfaces.Groups.GroupId",
    network_interface__addresses__private_ip_address="NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress", state_reason_code="StateReason.Code",
    network_interface__ipv6_addresses__ipv6_address="NetworkInterfaces.Ipv6Addresses.Ipv6Address",
    private_dns_name_options__hostname_type="PrivateDnsNameOptions.HostnameType",
    private_dns_name_options__enable_resource_name_dns_a_record="PrivateDnsNameOptions.EnableResourceNameDnsARecord",
    private_dns_name_options__enable_resource_name_dns_aaaa_record="PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord",
    network_interface__availability_zone="Placement.AvailabilityZone", network_interface__mac_address="NetworkInterfaces.MacAddress",
)  # fmt: skip
STATES = {
    "creating": (0, "pending"), "starting": (0, "pending"), "ready": (16, "running"), "updating": (16, "running"), "deleting": (32, "shutting-down"),
    "deleted": (48, "terminated"), "failed": (48, "terminated"), "stopping": (64, "stopping"), "stopped": (80, "stopped"),
}  # fmt: skip
SPELLING = {status: {"Code": code, "Name": name} for status, (code, name) in STATES.items()}
CONSOLE_LIMIT = 65536
"""Bytes that GetConsoleOutput answers, the last ones."""
INTERFACE_MEMBERS = (
    "Attachment Description Groups Ipv6Addresses MacAddress NetworkInterfaceId OwnerId PrivateDnsName PrivateIpAddress PrivateIpAddresses "
    "SourceDestCheck Status SubnetId VpcId InterfaceType"
)


def interfaces_of(ctx: Context, row: Row) -> list[Row]:
    """The attached interfaces, the primary first."""
    found = ctx.referring(row, "ec2:NetworkInterface", "InstanceId")
    return sorted(found, key=lambda interface: interface.document["Attachment"]["DeviceIndex"])


def view(ctx: Context, row: Row) -> Document:
    """What follows from its interfaces; an ended instance shows neither addresses nor interfaces."""
    if row.status in ("deleted", "failed"):
        reason = row.reason or row.document.get("_EndReason", "")
        gone = dict.fromkeys(("PrivateIpAddress", "SubnetId", "VpcId", "IamInstanceProfile"))
        return {**gone, "NetworkInterfaces": [], "SecurityGroups": [], "PrivateDnsName": "", "StateReason": _reason(row, reason)}
    shown = [ctx.view(interface) for interface in interfaces_of(ctx, row)]
    interfaces = [{member: document[member] for member in INTERFACE_MEMBERS.split() if member in document} for document in shown]
    members: Document = {"NetworkInterfaces": interfaces, "SecurityGroups": shown[0]["Groups"] if shown else []}
    if shown and "Ipv6Address" in shown[0]:
        members["Ipv6Address"] = shown[0]["Ipv6Address"]
    if row.status in ("stopping", "stopped"):
        members["StateReason"] = {"Code": "Client.UserInitiatedShutdown", "Message": "Client.UserInitiatedShutdown: User initiated shutdown"}
    return members


def _reason(row: Row, reason: str) -> Document:
    if row.status == "failed":
        return {"Code": "Server.InternalError", "Message": f"Server.InternalError: {reason}"}
    return {"Code": "Client.UserInitiatedShutdown", "Message": "Client.UserInitiatedShutdown: User initiated shutdown"}


def _filterable(row: Row, shown: Document) -> Document:
    return {**shown, "_OwnerId": row.account, "_ReservationId": row.document["_ReservationId"]}


def describe_instances(ctx: Context, params: Document) -> Document:
    """DescribeInstances, grouped by reservation."""
    shown = [_filterable(row, ctx.view(row)) for row in choose(ctx, "ec2:Instance", params.get("InstanceIds"))]
    reservations: dict[str, list[Document]] = {}
    for document in select(shown, params.get("Filters"), FILTERS):
        reservations.setdefault(document["_ReservationId"], []).append(document)
    return {
        "Reservations": [
            {"ReservationId": key, "OwnerId": ctx.caller.account, "Groups": [], "Instances": sorted(found, key=lambda one: one["AmiLaunchIndex"])}
            for key, found in reservations.items()
        ]
    }


STATUS_FILTERS = paths(
    "availability-zone availability-zone-id instance-id", instance_state_name="InstanceState.Name", instance_state_code="InstanceState.Code",
    instance_status__status="InstanceStatus.Status", system_status__status="SystemStatus.Status",
    instance_status__reachability="InstanceStatus.Details.Status", system_status__reachability="SystemStatus.Details.Status",
)  # fmt: skip


def describe_instance_status(ctx: Context, params: Document) -> Document:
    """DescribeInstanceStatus: running instances, or all of them with IncludeAllInstances. A running instance is one that the data plane has."""
    shown = []
    for row in choose(ctx, "ec2:Instance", params.get("InstanceIds")):
        running = STATES[row.status][1] == "running"
        if not running and not params.get("IncludeAllInstances"):
            continue
        word = "ok" if running else "not-applicable"
        details = {"Status": word, "Details": [{"Name": "reachability", "Status": "passed"}] if running else []}
        shown.append({
            "InstanceId": row.id, "AvailabilityZone": row.document["Placement"]["AvailabilityZone"], "InstanceState": SPELLING[row.status], "Events": [],
            "AvailabilityZoneId": row.document["Placement"]["AvailabilityZoneId"], "InstanceStatus": details, "SystemStatus": details,
        })  # fmt: skip
    return {"InstanceStatuses": select(shown, params.get("Filters"), STATUS_FILTERS)}


# -- states --------------------------------------------------------------------------------------------------------------------------------


def _changing(result: str, step: Callable[[Context, Row, Document], str]) -> Handler:
    """Start-, Stop- and TerminateInstances: `step` moves one instance and returns its new engine status. All ids are checked first."""

    def handler(ctx: Context, params: Document) -> Document:
        wanted = list(dict.fromkeys(params["InstanceIds"]))
        by_id = {row.id: row for row in choose(ctx, "ec2:Instance", wanted)}
        changes = []
        for identifier in wanted:
            row = by_id[identifier]
            before = SPELLING[row.status]
            changes.append({"InstanceId": row.id, "PreviousState": before, "CurrentState": SPELLING[step(ctx, row, params)]})
        return {result: changes}

    return handler


def _refuse_ended(row: Row, verb: str) -> None:
    if row.status in ("deleting", "deleted", "failed"):
        raise text.conflict("IncorrectInstanceState", f"The instance '{row.id}' is not in a state from which it can be {verb}.")


def _start(ctx: Context, row: Row, params: Document) -> str:
    only(params, "InstanceIds")
    _refuse_ended(row, "started")
    if row.status == "stopping":
        raise text.conflict("IncorrectInstanceState", f"The instance '{row.id}' is not in a state from which it can be started.")
    if row.status != "stopped":
        return row.status
    return ctx.change(row, {"_Boot": row.document["_Boot"] + 1, "LaunchTime": ctx.now, "StateTransitionReason": ""}, status="starting").status


def _stop(ctx: Context, row: Row, params: Document) -> str:
    only(params, "InstanceIds Force SkipOsShutdown")
    _refuse_ended(row, "stopped")
    if row.document["_DisableApiStop"]:
        message = f"The instance '{row.id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again."
        raise text.invalid("OperationNotPermitted", message)
    if row.status in ("stopping", "stopped"):
        return row.status
    if row.status in ("creating", "starting"):
        raise text.conflict("IncorrectInstanceState", f"The instance '{row.id}' is not in a state from which it can be stopped.")
    return ctx.change(row, {"StateTransitionReason": f"User initiated ({ctx.now})"}, status="stopping").status


def _terminate(ctx: Context, row: Row, params: Document) -> str:
    only(params, "InstanceIds Force SkipOsShutdown")
    if row.status in ("deleting", "deleted"):
        return row.status
    if row.document["_DisableApiTermination"]:
        message = f"The instance '{row.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
        raise text.invalid("OperationNotPermitted", message)
    for interface in interfaces_of(ctx, row):
        network_interface.detach(ctx, interface)
        if interface.document["Attachment"]["DeleteOnTermination"]:
            ctx.remove(ctx.resolve("ec2:NetworkInterface", interface.id))
    left = ctx.remove(ctx.change(row, {"StateTransitionReason": f"User initiated ({ctx.now})"}))
    return left.status if left else "deleted"


start_instances = _changing("StartingInstances", _start)
stop_instances = _changing("StoppingInstances", _stop)
terminate_instances = _changing("TerminatingInstances", _terminate)


def reboot_instances(ctx: Context, params: Document) -> Document:
    """RebootInstances: the processes start anew, the state shown stays "running"."""
    for row in choose(ctx, "ec2:Instance", params["InstanceIds"]):
        _refuse_ended(row, "rebooted")
        if row.status in ("stopping", "stopped"):
            raise text.conflict("IncorrectInstanceState", f"The instance '{row.id}' is not in a state from which it can be rebooted.")
        ctx.change(row, {"_Boot": row.document["_Boot"] + 1}, settle=True)
    return {}


# -- attributes ----------------------------------------------------------------------------------------------------------------------------

ATTRIBUTES: dict[str, tuple[str, Callable[[Row], Any]]] = {
    "disableApiStop": ("DisableApiStop", lambda row: row.document["_DisableApiStop"]),
    "disableApiTermination": ("DisableApiTermination", lambda row: row.document["_DisableApiTermination"]),
    "ebsOptimized": ("EbsOptimized", lambda row: row.document["EbsOptimized"]),
    "enaSupport": ("EnaSupport", lambda row: row.document["EnaSupport"]),
    "instanceInitiatedShutdownBehavior": ("InstanceInitiatedShutdownBehavior", lambda row: row.document["_InstanceInitiatedShutdownBehavior"]),
    "instanceType": ("InstanceType", lambda row: row.document["InstanceType"]),
    "userData": ("UserData", lambda row: row.document["_UserData"] or None),
}  # fmt: skip


def describe_instance_attribute(ctx: Context, params: Document) -> Document:
    """DescribeInstanceAttribute."""
    row = ctx.resolve("ec2:Instance", params["InstanceId"])
    name = params["Attribute"]
    if name in ATTRIBUTES:
        member, read = ATTRIBUTES[name]
        value = read(row)
        return {"InstanceId": row.id, member: {} if value is None else {"Value": value}}
    shown = ctx.view(row)
    others: dict[str, Document] = {
        "groupSet": {"Groups": shown["SecurityGroups"]}, "sourceDestCheck": {"SourceDestCheck": {"Value": row.document["SourceDestCheck"]}},
        "blockDeviceMapping": {"BlockDeviceMappings": []}, "productCodes": {"ProductCodes": []}, "kernel": {"KernelId": {}}, "ramdisk": {"RamdiskId": {}},
        "rootDeviceName": {"RootDeviceName": {}}, "sriovNetSupport": {"SriovNetSupport": {}}, "enclaveOptions": {"EnclaveOptions": {"Enabled": False}},
    }  # fmt: skip
    if name not in others:
        raise text.bad_value(name, "attribute")
    return {"InstanceId": row.id, **others[name]}


def _set_groups(ctx: Context, row: Row, group_ids: list[str]) -> None:
    interfaces = interfaces_of(ctx, row)
    if len(interfaces) != 1:
        message = f"There are multiple interfaces attached to instance '{row.id}'. Please specify an interface ID for the operation instead."
        raise text.invalid("InvalidInstanceID", message)
    network_interface.set_groups(ctx, interfaces[0], group_ids)


def _set_source_dest_check(ctx: Context, row: Row, *, on: bool) -> None:
    interfaces = interfaces_of(ctx, row)
    if len(interfaces) != 1:
        message = f"There are multiple interfaces attached to instance '{row.id}'. Please specify an interface ID for the operation instead."
        raise text.invalid("InvalidInstanceID", message)
    ctx.change(interfaces[0], {"SourceDestCheck": on})
    ctx.change(row, {"SourceDestCheck": on})


def _stopped(row: Row, attribute: str) -> None:
    if row.status != "stopped":
        raise text.conflict("IncorrectInstanceState", f"The instance '{row.id}' is not in the 'stopped' state. ({attribute})")


def modify_instance_attribute(ctx: Context, params: Document) -> Document:
    """ModifyInstanceAttribute: one attribute per call, by its own member or by Attribute and Value."""
    known = "SourceDestCheck DisableApiStop DisableApiTermination InstanceType UserData InstanceInitiatedShutdownBehavior Groups"
    only(params, f"InstanceId Attribute Value {known}")
    row = ctx.resolve("ec2:Instance", params["InstanceId"])
    given = {member: params[member] for member in known.split() if params.get(member) is not None}
    if params.get("Attribute"):
        member = params["Attribute"][:1].upper() + params["Attribute"][1:]
        if member not in known.split() or member == "Groups":
            raise text.bad_value(params["Attribute"], "attribute")
        given[member] = {"Value": params["Value"] == "true" if member in ("SourceDestCheck", "DisableApiStop", "DisableApiTermination") else params["Value"]}
    if len(given) != 1:
        raise text.bad_combination("Fields for multiple attribute types specified" if given else "No attributes specified.")
    ((member, value),) = given.items()
    if member == "Groups":
        _set_groups(ctx, row, value)
    elif member == "SourceDestCheck":
        _set_source_dest_check(ctx, row, on=boolean(value))
    elif member in ("DisableApiStop", "DisableApiTermination"):
        ctx.change(row, {f"_{member}": boolean(value)})
    elif member == "UserData":
        _stopped(row, "userData")
        ctx.change(row, {"_UserData": run_instances.user_data(value.get("Value"))})
    elif member == "InstanceType":
        _stopped(row, "instanceType")
        instance_type.check(value.get("Value") or "")
        if not all(interface.document["PrivateIpAddresses"] for interface in interfaces_of(ctx, row)):
            instance_type.check_nitro(value["Value"])
        ctx.change(row, {"InstanceType": value["Value"]})
    else:
        if value.get("Value") not in ("stop", "terminate"):
            raise text.bad_value(value.get("Value"), "instanceInitiatedShutdownBehavior")
        ctx.change(row, {"_InstanceInitiatedShutdownBehavior": value["Value"]})
    return {}


def modify_instance_metadata_options(ctx: Context, params: Document) -> Document:
    """ModifyInstanceMetadataOptions."""
    row = ctx.resolve("ec2:Instance", params["InstanceId"])
    options = run_instances.metadata_options(params, row.document["MetadataOptions"])
    ctx.change(row, {"MetadataOptions": options})
    return {"InstanceId": row.id, "InstanceMetadataOptions": {**options, "State": "pending"}}


def describe_instance_credit_specifications(ctx: Context, params: Document) -> Document:
    """DescribeInstanceCreditSpecifications: burstable instances and the credits they were launched with."""
    shown = []
    for row in choose(ctx, "ec2:Instance", params.get("InstanceIds")):
        family = row.document["InstanceType"].split(".")[0]
        if family.startswith("t"):
            default = "standard" if family == "t2" else "unlimited"
            shown.append({"InstanceId": row.id, "CpuCredits": row.document["_CpuCredits"] or default})
    return {"InstanceCreditSpecifications": select(shown, params.get("Filters"), paths("instance-id"))}


def describe_volumes(ctx: Context, params: Document) -> Document:  # noqa: ARG001 - the signature of an operation
    """DescribeVolumes: there are none; instances live on the machine's file system."""
    for identifier in params.get("VolumeIds") or ():
        raise text.not_found("InvalidVolume.NotFound", f"The volume '{identifier}' does not exist.")
    return {"Volumes": []}


def get_console_output(ctx: Context, params: Document) -> Document:
    """GetConsoleOutput: what the instance's boot wrote, from the port "console_output" (instance id -> text) of the composition root."""
    row = ctx.resolve("ec2:Instance", params["InstanceId"])
    read = ctx.ports.get("console_output")
    if read is None:
        raise text.invalid("UnsupportedOperation", "There is no console in this process")
    output: str = read(row.id)
    return {"InstanceId": row.id, "Timestamp": ctx.now, "Output": base64.b64encode(output.encode()[-CONSOLE_LIMIT:]).decode()}
