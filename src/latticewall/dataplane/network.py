"""The network of one namespace: kernel settings, devices, addresses, routes and policy rules."""

from __future__ import annotations

from latticewall.compile.render.network import NetworkState, desired_sysctls, diff, without_missing
from latticewall.dataplane.kernel import Kernel, KernelError
from latticewall.plan.topology import Namespace


def ensure_sysctls(kernel: Kernel, namespace: Namespace, devices: tuple[str, ...]) -> int:
    """How many kernel settings were changed. To be done before links are made, so that new devices start with the right ones."""
    wanted = desired_sysctls(namespace, devices)
    current = kernel.sysctls(namespace.name, wanted)
    wrong = {key: value for key, value in wanted.items() if key in current and current[key].split() != value.split()}
    absent = [key for key in wanted if key not in current and "/conf/" not in key]
    if absent:
        raise KernelError(f"this kernel has no setting net/{absent[0]}")
    if wrong:
        kernel.set_sysctls(namespace.name, wrong)
    return len(wrong)


def ensure_network(kernel: Kernel, name: str, observed: NetworkState, desired: NetworkState) -> int:
    """How many lines of ip it took. Raises KernelError with everything that failed, after having done the rest."""
    lines = diff(observed, without_missing(desired, observed.devices))
    if not lines:
        return 0
    failed = kernel.ip(name, lines)
    if failed:
        raise KernelError("; ".join(f"ip {error.line}: {error.message}" for error in failed))
    return len(lines)
