"""Reading and raising quotas ("GetServiceQuota", "RequestServiceQuotaIncrease" and the others of the Service Quotas API reference)."""

from __future__ import annotations

from latticewall.base.faults import Invalid, NotFound
from latticewall.base.lattice_quotas import BY_CODE, QUOTAS, RAISED, SERVICE_CODE, SERVICE_NAME, Quota, row_name
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler

REQUEST = "service-quotas:Request"
MOST = 1_000_000_000


def _service(params: Document) -> None:
    if params.get("ServiceCode") != SERVICE_CODE:
        raise NotFound(f"The service {params.get('ServiceCode')} does not have quotas here", code="NoSuchResourceException")


def _quota(params: Document) -> Quota:
    _service(params)
    found = BY_CODE.get(params["QuotaCode"])
    if found is None:
        raise NotFound("The request failed because the specified quota does not exist.", code="NoSuchResourceException")
    return found


def _arn(ctx: Context, quota: Quota, *, default: bool) -> str:
    account = "" if default else ctx.caller.account
    return f"arn:aws:servicequotas:{ctx.caller.region}:{account}:{row_name(quota.code)}"


def _shown(ctx: Context, quota: Quota, *, default: bool = False) -> Document:
    """A quota as the account has it, or by default."""
    row = None if default else ctx.find(RAISED, row_name(quota.code))
    return {
        "ServiceCode": SERVICE_CODE, "ServiceName": SERVICE_NAME, "QuotaArn": _arn(ctx, quota, default=default), "QuotaCode": quota.code,
        "QuotaName": quota.name, "Value": float(row.document["Value"] if row else quota.default), "Unit": "None", "Adjustable": quota.adjustable,
        "GlobalQuota": False, "QuotaAppliedAtLevel": "ACCOUNT",
    }  # fmt: skip


def list_services(ctx: Context, params: Document) -> Document:  # noqa: ARG001 - the signature of a handler
    """ListServices: those whose quotas are kept here."""
    return {"Services": [{"ServiceCode": SERVICE_CODE, "ServiceName": SERVICE_NAME}]}


def list_service_quotas(ctx: Context, params: Document) -> Document:
    """ListServiceQuotas: as the account has them."""
    _service(params)
    wanted = params.get("QuotaCode")
    return {"Quotas": [_shown(ctx, quota) for quota in QUOTAS if wanted in (None, quota.code)]}


def list_default_quotas(ctx: Context, params: Document) -> Document:
    """ListAWSDefaultServiceQuotas."""
    _service(params)
    return {"Quotas": [_shown(ctx, quota, default=True) for quota in QUOTAS]}


def get_service_quota(ctx: Context, params: Document) -> Document:
    """GetServiceQuota."""
    return {"Quota": _shown(ctx, _quota(params))}


def get_default_quota(ctx: Context, params: Document) -> Document:
    """GetAWSDefaultServiceQuota."""
    return {"Quota": _shown(ctx, _quota(params), default=True)}


def request_increase(ctx: Context, params: Document) -> Document:
    """RequestServiceQuotaIncrease: approved at once."""
    quota, value = _quota(params), float(params["DesiredValue"])
    if not quota.adjustable:
        raise Invalid(f"The quota {quota.name} is not adjustable.", code="IllegalArgumentException")
    if value != int(value) or not 0 < value <= MOST:
        raise Invalid("DesiredValue must be a whole number greater than the current value.", code="IllegalArgumentException")
    row = ctx.find(RAISED, row_name(quota.code))
    current = int(row.document["Value"] if row else quota.default)
    if value <= current:
        raise Invalid(f"You must provide a quota value greater than or equal to the current quota value: {current}", code="IllegalArgumentException")
    if row is None:
        ctx.create(RAISED, {"Value": int(value)}, id=ctx.new_id("quota-"), name=row_name(quota.code))
    else:
        ctx.change(row, {"Value": int(value)})
    document = {
        "ServiceCode": SERVICE_CODE, "ServiceName": SERVICE_NAME, "QuotaCode": quota.code, "QuotaName": quota.name, "DesiredValue": value,
        "Status": "APPROVED", "Created": ctx.now, "LastUpdated": ctx.now, "Requester": f'{{"accountId":"{ctx.caller.account}"}}',
        "QuotaArn": _arn(ctx, quota, default=False), "GlobalQuota": False, "Unit": "None", "QuotaRequestedAtLevel": "ACCOUNT", "RequestType": "ManualRequest",
    }  # fmt: skip
    return {"RequestedQuota": ctx.view(ctx.create(REQUEST, document, id=ctx.new_uuid().replace("-", "")))}


def get_requested_change(ctx: Context, params: Document) -> Document:
    """GetRequestedServiceQuotaChange."""
    row = ctx.find(REQUEST, params["RequestId"])
    if row is None:
        raise NotFound("The specified request does not exist.", code="NoSuchResourceException")
    return {"RequestedQuota": ctx.view(row)}


def _history(ctx: Context, params: Document) -> list[Row]:
    rows = sorted(ctx.live(REQUEST), key=lambda row: (row.created_at, row.id), reverse=True)
    asked = {member: params[member] for member in ("ServiceCode", "QuotaCode", "Status") if params.get(member)}
    return [row for row in rows if asked.items() <= row.document.items()]


def list_requested_changes(ctx: Context, params: Document) -> Document:
    """ListRequestedServiceQuotaChangeHistory, also by quota; the newest first."""
    if "QuotaCode" in params:
        _quota(params)
    return {"RequestedQuotas": [ctx.view(row) for row in _history(ctx, params)]}


OPERATIONS: dict[str, Handler] = {
    "ListServices": list_services,
    "ListServiceQuotas": list_service_quotas,
    "ListAWSDefaultServiceQuotas": list_default_quotas,
    "GetServiceQuota": get_service_quota,
    "GetAWSDefaultServiceQuota": get_default_quota,
    "RequestServiceQuotaIncrease": request_increase,
    "GetRequestedServiceQuotaChange": get_requested_change,
    "ListRequestedServiceQuotaChangeHistory": list_requested_changes,
    "ListRequestedServiceQuotaChangeHistoryByQuota": list_requested_changes,
}
