"""Managed prefix lists, customers' and AWS's own ("Consolidate and manage network CIDR blocks with managed prefix lists")."""

from __future__ import annotations

import hashlib

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, text
from latticewall.services.ec2.describe import paths, select, visible
from latticewall.services.ec2.requests import only, tags_for

FILTERS = paths("owner-id prefix-list-id prefix-list-name")
AWS_MANAGED = {"vpc-lattice": ("169.254.171.0/24",), "ipv6.vpc-lattice": ("fd00:ec2:80::/64",)}
"""AWS's lists that mean something here: service -> entries. VPC Lattice answers and calls targets from link-local addresses."""


def managed_id(ctx: Context, service: str) -> str:
    """The id of AWS's list of one of AWS_MANAGED."""
    return "pl-" + hashlib.sha256(f"prefix list {service} {ctx.caller.region}".encode()).hexdigest()[:17]


def _managed_document(service: str) -> Document:
    entries = [{"Cidr": cidr} for cidr in AWS_MANAGED[service]]
    return {
        "AddressFamily": "IPv6" if service.startswith("ipv6.") else "IPv4", "State": "create-complete", "OwnerId": "AWS", "_Entries": entries, "_History": {},
    }  # fmt: skip


def ensure_aws_managed(ctx: Context) -> None:
    """AWS's lists as resources of the region, from the account's first VPC on (rules may then refer to them)."""
    for service in AWS_MANAGED:
        if ctx.find("ec2:ManagedPrefixList", managed_id(ctx, service)) is None:
            name = f"com.amazonaws.{ctx.caller.region}.{service}"
            ctx.create("ec2:ManagedPrefixList", _managed_document(service), id=managed_id(ctx, service), name=name)


def all_shown(ctx: Context) -> list[Document]:
    """All lists; AWS's are there before the first VPC too."""
    shown = [ctx.view(row) for row in visible(ctx, "ec2:ManagedPrefixList")]
    present = {document["PrefixListId"] for document in shown}
    for service in AWS_MANAGED:
        identifier, region = managed_id(ctx, service), ctx.caller.region
        if identifier not in present:
            arn = f"arn:aws:ec2:{region}:{ctx.caller.account}:prefix-list/{identifier}"
            row = Row("ec2:ManagedPrefixList", ctx.caller.account, region, identifier, arn, f"com.amazonaws.{region}.{service}")
            row.document = _managed_document(service)
            shown.append(ctx.view(row))
    return shown


def view(ctx: Context, row: Row) -> Document:  # noqa: ARG001 - the signature of a kind's hook
    if row.document["OwnerId"] == "AWS":
        return {"PrefixListArn": row.arn.replace(f":{row.account}:", ":aws:")}
    return {}


def _chosen(ctx: Context, params: Document, shown: list[Document]) -> list[Document]:
    wanted = params.get("PrefixListIds") or ()
    present = {document["PrefixListId"] for document in shown}
    for identifier in wanted:
        if identifier not in present:
            raise ctx.missing("ec2:ManagedPrefixList", identifier)
    chosen = [document for document in shown if not wanted or document["PrefixListId"] in wanted]
    return select(chosen, params.get("Filters"), FILTERS)


def describe_managed_prefix_lists(ctx: Context, params: Document) -> Document:
    """DescribeManagedPrefixLists."""
    return {"PrefixLists": _chosen(ctx, params, all_shown(ctx))}


def describe_prefix_lists(ctx: Context, params: Document) -> Document:
    """DescribePrefixLists: AWS's lists only, with their blocks."""
    shown = [
        {**document, "Cidrs": list(AWS_MANAGED[document["PrefixListName"].removeprefix(f"com.amazonaws.{ctx.caller.region}.")])}
        for document in all_shown(ctx)
        if document["OwnerId"] == "AWS"
    ]
    return {"PrefixLists": _chosen(ctx, params, shown)}


def _entries(family: str, given: list[Document]) -> list[Document]:
    found = []
    for entry in given:
        network = cidrs.parse(entry["Cidr"], "cidr") if family == "IPv4" else cidrs.parse_v6(entry["Cidr"], "cidr")
        found.append({"Cidr": str(network), **({"Description": entry["Description"]} if entry.get("Description") else {})})
    blocks = [entry["Cidr"] for entry in found]
    if repeated := next((cidr for cidr in blocks if blocks.count(cidr) > 1), ""):
        raise text.invalid("InvalidParameterValue", f"The request contains the duplicate entry {repeated}.")
    return found


def _check_size(entries: list[Document], maximum: int) -> None:
    if not 1 <= maximum <= 1000:
        raise text.bad_value(maximum, "maxEntries", "It must be between 1 and 1000.")
    if len(entries) > maximum:
        message = f"You've reached the maximum number of entries for the prefix list ({maximum})."
        raise text.conflict("PrefixListMaxEntriesExceeded", message)


def _check_name(name: str) -> None:
    if not name or len(name) > 255 or name.startswith("com.amazonaws"):
        raise text.bad_value(name, "prefixListName", "It must have 1 to 255 characters and may not start with com.amazonaws.")


def create_managed_prefix_list(ctx: Context, params: Document) -> Document:
    """CreateManagedPrefixList."""
    only(params, "PrefixListName Entries MaxEntries AddressFamily")
    _check_name(params["PrefixListName"])
    family = params["AddressFamily"]
    if family not in ("IPv4", "IPv6"):
        raise text.bad_value(family, "addressFamily", "It must be IPv4 or IPv6.")
    entries = _entries(family, params.get("Entries") or [])
    _check_size(entries, params["MaxEntries"])
    document = {
        "AddressFamily": family, "State": "create-complete", "OwnerId": ctx.caller.account, "MaxEntries": params["MaxEntries"], "Version": 1,
        "_Entries": entries, "_History": {"1": entries},
    }  # fmt: skip
    row = ctx.create("ec2:ManagedPrefixList", document, name=params["PrefixListName"], tags=tags_for(params, "prefix-list"))
    return {"PrefixList": ctx.view(row)}


def _own(ctx: Context, identifier: str) -> Row:
    row = ctx.resolve("ec2:ManagedPrefixList", identifier)
    if row.document["OwnerId"] == "AWS":
        raise text.invalid("OperationNotPermitted", f"The prefix list '{identifier}' is managed by AWS and cannot be changed.")
    return row


def modify_managed_prefix_list(ctx: Context, params: Document) -> Document:
    """ModifyManagedPrefixList: entries (with CurrentVersion) or MaxEntries, not both in one call; every change of entries makes a version."""
    only(params, "PrefixListId CurrentVersion PrefixListName AddEntries RemoveEntries MaxEntries")
    row = _own(ctx, params["PrefixListId"])
    added, removed = params.get("AddEntries") or [], params.get("RemoveEntries") or []
    changes: Document = {"State": "modify-complete"}
    if (added or removed) and params.get("MaxEntries") is not None:
        raise text.bad_combination("You cannot modify the entries and the size of a prefix list at the same time.")
    if params.get("MaxEntries") is not None:
        _check_size(row.document["_Entries"], params["MaxEntries"])
        changes["MaxEntries"] = params["MaxEntries"]
    if added or removed:
        changes |= _new_version(row, added, removed, params.get("CurrentVersion"))
    row = ctx.change(row, changes)
    if params.get("PrefixListName"):
        _check_name(params["PrefixListName"])
        row.name = params["PrefixListName"]
        row = ctx.tx.put(row)
    return {"PrefixList": ctx.view(row)}


def _new_version(row: Row, added: list[Document], removed: list[Document], current: int | None) -> Document:
    """The members that a change of entries gives the document."""
    if current is None:
        raise text.missing_parameter("CurrentVersion")
    if current != row.document["Version"]:
        raise text.conflict("PrefixListVersionMismatch", f"The prefix list has the version number {row.document['Version']}, not {current}.")
    family = row.document["AddressFamily"]
    gone = [entry["Cidr"] for entry in _entries(family, removed)]
    present = [entry["Cidr"] for entry in row.document["_Entries"]]
    for cidr in gone:
        if cidr not in present:
            raise text.invalid("InvalidParameterValue", f"The prefix list has no entry {cidr}.")
    new = _entries(family, added)
    replaced = {entry["Cidr"] for entry in new}
    entries = [entry for entry in row.document["_Entries"] if entry["Cidr"] not in gone and entry["Cidr"] not in replaced] + new
    _check_size(entries, row.document["MaxEntries"])
    version = row.document["Version"] + 1
    return {"_Entries": entries, "Version": version, "_History": {**row.document["_History"], str(version): entries}}


def delete_managed_prefix_list(ctx: Context, params: Document) -> Document:
    """DeleteManagedPrefixList: not while a rule or a route refers to it."""
    row = _own(ctx, params["PrefixListId"])
    for user in ctx.referring(row):
        raise text.conflict("DependencyViolation", f"The prefix list '{row.id}' is in use by {user.parent or user.id}.")
    for table in ctx.live("ec2:RouteTable"):
        if any(route.get("DestinationPrefixListId") == row.id for route in table.document["Routes"]):
            raise text.conflict("DependencyViolation", f"The prefix list '{row.id}' is in use by {table.id}.")
    shown = ctx.view(row)
    ctx.remove(row)
    return {"PrefixList": {**shown, "State": "delete-complete"}}


def get_managed_prefix_list_entries(ctx: Context, params: Document) -> Document:
    """GetManagedPrefixListEntries, of the newest or of a given version."""
    identifier = params["PrefixListId"]
    for service in AWS_MANAGED:
        if identifier == managed_id(ctx, service):
            return {"Entries": _managed_document(service)["_Entries"]}
    row = ctx.resolve("ec2:ManagedPrefixList", identifier)
    version = params.get("TargetVersion")
    if version is None:
        return {"Entries": row.document["_Entries"]}
    if str(version) not in row.document["_History"]:
        raise text.bad_value(version, "targetVersion", "The prefix list has no such version.")
    return {"Entries": row.document["_History"][str(version)]}
