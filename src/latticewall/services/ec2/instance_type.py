"""Instance types: sizes as AWS publishes them ("Amazon EC2 instance types"). Here they are names; instances share the machine's processors and memory."""

from __future__ import annotations

from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import text
from latticewall.services.ec2.describe import paths, select

DEFAULT = "m1.small"
"""The type of a launch that names none."""
BURSTABLE = {"nano": (2, 512), "micro": (2, 1024), "small": (2, 2048), "medium": (2, 4096), "large": (2, 8192), "xlarge": (4, 16384), "2xlarge": (8, 32768)}
T2 = {"nano": (1, 512), "micro": (1, 1024), "small": (1, 2048), "medium": (2, 4096), "large": (2, 8192), "xlarge": (4, 16384), "2xlarge": (8, 32768)}
VCPUS = {"large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16}
FAMILIES = {
    "t3": ("x86_64", 0), "t3a": ("x86_64", 0), "t4g": ("arm64", 0), "m5": ("x86_64", 4), "m6i": ("x86_64", 4), "m7i": ("x86_64", 4), "m6g": ("arm64", 4),
    "m7g": ("arm64", 4), "c5": ("x86_64", 2), "c5n": ("x86_64", 2), "c6i": ("x86_64", 2), "c7i": ("x86_64", 2), "c6g": ("arm64", 2), "c7g": ("arm64", 2),
    "r5": ("x86_64", 8), "r6i": ("x86_64", 8), "r6g": ("arm64", 8), "r7g": ("arm64", 8),
}  # fmt: skip
"""family -> processor and GiB of memory per vCPU (0: burstable, with sizes of their own)."""
FILTERS = paths(
    "instance-type current-generation hypervisor bare-metal burstable-performance-supported",
    processor_info__supported_architecture="ProcessorInfo.SupportedArchitectures", vcpu_info__default_vcpus="VCpuInfo.DefaultVCpus",
    memory_info__size_in_mib="MemoryInfo.SizeInMiB", supported_usage_class="SupportedUsageClasses",
)  # fmt: skip


def _sizes() -> dict[str, tuple[str, int, int]]:
    found = {DEFAULT: ("x86_64", 1, 1740), **{f"t2.{size}": ("x86_64", *shape) for size, shape in T2.items()}}
    for family, (processor, ratio) in FAMILIES.items():
        own = BURSTABLE if not ratio else {size: (cpus, int(cpus * ratio * (1024 if family != "c5n" else 1344))) for size, cpus in VCPUS.items()}
        found.update({f"{family}.{size}": (processor, *shape) for size, shape in own.items()})
    return found


SIZES = _sizes()
"""type -> (processor, vCPUs, MiB of memory)."""


def check(name: str) -> None:
    """Refuse a type that is not in the table. The machine's processor does not matter: a type is a name here, and templates run as they are."""
    if name not in SIZES:
        raise text.invalid("Unsupported", f"The requested configuration is currently not supported: instance type '{name}' is not in this region.")


def check_nitro(name: str) -> None:
    """Refuse a type that is not built on the Nitro System, for interfaces with IPv6 only."""
    if _is_old(name):
        raise text.bad_combination(f"Network interfaces in IPv6-only subnets need an instance type that is built on the Nitro System: '{name}' is not.")


def _is_old(name: str) -> bool:
    """Of the generations before Nitro."""
    return name.startswith(("t2.", "m1."))


def describe_instance_types(ctx: Context, params: Document) -> Document:  # noqa: ARG001 - the signature of an operation
    """DescribeInstanceTypes."""
    wanted = params.get("InstanceTypes") or list(SIZES)
    if unknown := [name for name in wanted if name not in SIZES]:
        raise text.invalid("InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(unknown)}]")
    return {"InstanceTypes": select([_shown(name) for name in wanted], params.get("Filters"), FILTERS)}


def _shown(name: str) -> Document:
    processor, cpus, memory = SIZES[name]
    old = _is_old(name)
    cores = cpus if processor == "arm64" or old else cpus // 2
    return {
        "InstanceType": name, "CurrentGeneration": not old, "FreeTierEligible": name in ("t2.micro", "t3.micro"), "BareMetal": False,
        "Hypervisor": "xen" if old else "nitro", "SupportedUsageClasses": ["on-demand"], "SupportedRootDeviceTypes": ["instance-store"],
        "SupportedVirtualizationTypes": ["hvm"], "ProcessorInfo": {"SupportedArchitectures": [processor]}, "MemoryInfo": {"SizeInMiB": memory},
        "VCpuInfo": {"DefaultVCpus": cpus, "DefaultCores": cores, "DefaultThreadsPerCore": cpus // cores}, "InstanceStorageSupported": False,
        "BurstablePerformanceSupported": name.startswith("t"), "HibernationSupported": False, "DedicatedHostsSupported": False,
        "AutoRecoverySupported": False, "SupportedBootModes": ["legacy-bios", "uefi"],
        "NetworkInfo": {
            "MaximumNetworkInterfaces": 15, "Ipv4AddressesPerInterface": 50, "Ipv6AddressesPerInterface": 50, "Ipv6Supported": True,
            "EnaSupport": "supported", "MaximumNetworkCards": 1, "DefaultNetworkCardIndex": 0,
        },
    }  # fmt: skip


def describe_instance_type_offerings(ctx: Context, params: Document) -> Document:
    """DescribeInstanceTypeOfferings: every type in every zone."""
    kind = params.get("LocationType") or "region"
    places = {
        "region": [ctx.caller.region], "availability-zone": [f"{ctx.caller.region}{letter}" for letter in "abc"],
    }.get(kind)  # fmt: skip
    if places is None:
        raise text.bad_value(kind, "locationType")
    shown = [{"InstanceType": name, "LocationType": kind, "Location": place} for place in places for name in SIZES]
    return {"InstanceTypeOfferings": select(shown, params.get("Filters"), paths("instance-type location"))}
