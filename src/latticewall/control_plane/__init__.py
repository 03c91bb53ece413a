"""The control plane's process: the composition root's second half, where the region's parts are put together and run.

`services` lists what the region speaks; `world` compiles the store's newest revision; `identity` makes the region's account and hands out role
credentials; `inner` answers latticewall's own requests; `__main__` runs it all. It may be killed at any time: everything it knows is in the store
and in the running data plane.
"""
