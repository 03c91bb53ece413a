"""Tunnels: GENEVE in user space, because many kernels come without it.

One engine per tunnel endpoint, in the endpoint's network namespace: UDP sockets at the endpoint's addresses on one side, the near end of a link into the
resource gateway's namespace on the other. Depends on plan and base only.
"""
