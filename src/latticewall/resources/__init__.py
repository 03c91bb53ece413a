"""The generic engine: what is the same for every resource kind of every service.

A kind is declared once (`kind.Kind`); `context.Context` gives operations resolve/create/change/remove on rows with references, uniqueness,
lifecycles and tags handled; `verbs` makes whole operations from a declaration. A kind may have hooks, which are given the context: that is all `kind`
knows of it, its name in types. May import base, apimodel, store. What a resource *means* lives in `services`.
"""
