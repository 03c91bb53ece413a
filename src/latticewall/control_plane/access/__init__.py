"""Whether a caller may perform an operation: the same engine that decides on the service network decides for the control plane.

A call becomes questions (an action on a resource, with condition keys); each is put to identity policies within boundary, session policies and the
organization's service control policies, and to the resource control policies over the resource. Page followed: "Policy evaluation logic".
"""

from __future__ import annotations

from latticewall.control_plane.access.authorise import authorise

__all__ = ["authorise"]
