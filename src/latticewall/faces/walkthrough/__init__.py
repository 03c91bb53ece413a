"""`latticewall walkthrough`: the three scenarios of examples/walkthrough, deployed, used by real clients in the instances, and checked.

`walkthrough` is the course of events; `centralized`, `service_network` and `combined` are the checks of a scenario each; `trials` and `inside` run
programs in instances, several at a time; `stacks`, `accounts` and `records` speak with the region; `report` holds the results and `table` shows them. It does
what a user could do by hand: CloudFormation, `latticewall exec`, the logs. The process keeps to one thread: it enters namespaces by forking.
"""
