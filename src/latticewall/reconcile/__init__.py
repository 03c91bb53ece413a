"""The one loop that makes the node what the plan says: level-triggered, so everything may be repeated, restarted or run late.

`applier` says what an applier is; `loop` compiles, applies and settles. May import plan and base only.
"""
