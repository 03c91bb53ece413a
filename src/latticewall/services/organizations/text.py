"""Refusals in the words of the "AWS Organizations API Reference", by code, and by reason where a code has reasons."""

from __future__ import annotations

from collections.abc import Mapping

from latticewall.base.faults import Conflict, Denied, Fault, Invalid, LimitExceeded, NotFound

_SENTENCES: Mapping[str, str] = {
    "AccessDeniedException": "You don't have permissions to access this resource.",
    "AWSOrganizationsNotInUseException": "Your account is not a member of an organization.",
    "AccountAlreadyClosedException": "You attempted to close an account that is already closed.",
    "AccountNotFoundException": "You specified an account that doesn't exist.",
    "AlreadyInOrganizationException": "The AWS account is already a member of an organization.",
    "ChildNotFoundException": "We can't find an organizational unit (OU) or AWS account with the ChildId that you specified.",
    "CreateAccountStatusNotFoundException": "We can't find a create account request with the CreateAccountRequestId that you specified.",
    "DestinationParentNotFoundException": "We can't find the destination container (a root or OU) with the ParentId that you specified.",
    "DuplicateAccountException": "That account is already present in the specified destination.",
    "DuplicateHandshakeException": "A handshake with the same action and target already exists.",
    "DuplicateOrganizationalUnitException": "An OU with the same name already exists.",
    "DuplicatePolicyAttachmentException": "The selected policy is already attached to the specified target.",
    "DuplicatePolicyException": "A policy with the same name already exists.",
    "EffectivePolicyNotFoundException": "This policy type is not enabled in the organization.",
    "HandshakeAlreadyInStateException": "The specified handshake is already in the requested state.",
    "HandshakeNotFoundException": "We can't find a handshake with the HandshakeId that you specified.",
    "InvalidHandshakeTransitionException": "You can't perform the operation on the handshake in its current state.",
    "MasterCannotLeaveOrganizationException": "You can't remove the management account from an organization.",
    "OrganizationNotEmptyException": "The organization isn't empty. To delete an organization, you must first remove all accounts.",
    "OrganizationalUnitNotEmptyException": (
        "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again."
    ),
    "OrganizationalUnitNotFoundException": "We can't find an OU with the OrganizationalUnitId that you specified.",
    "ParentNotFoundException": "We can't find a root or OU with the ParentId that you specified.",
    "PolicyInUseException": "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts first.",
    "PolicyNotAttachedException": "The policy isn't attached to the specified target in the specified root.",
    "PolicyNotFoundException": "We can't find a policy with the PolicyId that you specified.",
    "PolicyTypeAlreadyEnabledException": "The specified policy type is already enabled in the specified root.",
    "PolicyTypeNotAvailableForOrganizationException": (
        "You can't use the specified policy type with the feature set currently enabled for this organization."
    ),
    "PolicyTypeNotEnabledException": "The specified policy type isn't currently enabled in this root.",
    "RootNotFoundException": "We can't find a root with the RootId that you specified.",
    "SourceParentNotFoundException": "We can't find a source root or OU with the ParentId that you specified.",
    "TargetNotFoundException": "We can't find a root, OU, account, or policy with the TargetId that you specified.",
    "ACCOUNT_CANNOT_LEAVE_ORGANIZATION": "The account is closed. It stays in the organization until AWS deletes it.",
    "CANNOT_CLOSE_MANAGEMENT_ACCOUNT": "You attempted to close the management account.",
    "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED": "You have attached the maximum number of policies of this type to the target.",
    "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED": (
        "You cannot remove the last policy attached to the specified target. You should have at least one attached at all times."
    ),
    "OU_DEPTH_LIMIT_EXCEEDED": "You attempted to create an OU tree that is too many levels deep.",
    "OU_NUMBER_LIMIT_EXCEEDED": "You attempted to exceed the number of OUs that you can have in an organization.",
    "POLICY_CONTENT_LIMIT_EXCEEDED": "You have exceeded the maximum policy size.",
    "POLICY_NUMBER_LIMIT_EXCEEDED": "You attempted to exceed the number of policies that you can have in an organization.",
    "IMMUTABLE_POLICY": "You specified a policy that is managed by AWS and can't be modified.",
    "NON_DETACHABLE_POLICY": "You can't detach this AWS Managed Policy.",
    "ALREADY_IN_AN_ORGANIZATION": "The account that you invited is already a member of an organization.",
    "ORGANIZATION_ALREADY_HAS_ALL_FEATURES": "The organization already has all features enabled.",
    "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION": "The organization is already in the process of enabling all features.",
}


def refusal(code: str, reason: str = "") -> Fault:
    """The fault with that code, and for codes that have them with a reason ("ConstraintViolationException", "OU_DEPTH_LIMIT_EXCEEDED")."""
    kind: type[Fault] = Conflict
    if code.endswith(("NotFoundException", "NotInUseException")):
        kind = NotFound
    elif code in ("AccessDeniedException", "ConstraintViolationException"):
        kind = Denied if code == "AccessDeniedException" else LimitExceeded
    elif code == "InvalidInputException":
        kind = Invalid
    return kind(_SENTENCES[reason or code], code=code, members={"Reason": reason} if reason else None)


def malformed(why: str) -> Fault:
    """A policy that its type does not admit, and where."""
    return Invalid(f"The provided policy document does not meet the requirements of the specified policy type. {why}", code="MalformedPolicyDocumentException")
