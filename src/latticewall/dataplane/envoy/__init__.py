"""Envoy, which carries the service network: its bootstrap, the configuration server (delta ADS on a unix socket) and the applier.

May import plan, compile.render, base, grpc and Envoy's protobufs; they go no further than this room.
"""
