"""The authorizer: whether a request may reach a service. A process of its own that Envoy asks over a unix socket.

It knows policies, principals and signing keys already derived for a day, region and service, all from one file; it never sees a secret access key,
and it goes on deciding while the control plane is away. What never enters: the store, the network.
"""
