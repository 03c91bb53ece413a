"""Pages of IAM's lists: 100 items unless `MaxItems` says otherwise, counted over all lists of an answer ("Marker", "IsTruncated")."""

from __future__ import annotations

from latticewall.apimodel import pages
from latticewall.apimodel.catalog import Operation
from latticewall.resources.context import Context
from latticewall.resources.kind import Answer, Document, Handler

PAGE = 100


def in_pages(handler: Handler) -> Handler:
    """The operation, answering one page of what `handler` answers as a whole. Operations that do not page are left as they are."""

    def paged(ctx: Context, params: Document) -> Answer:
        answer = handler(ctx, params)
        model: Operation = ctx.ports["catalog"].operation(f"iam:{ctx.operation}")
        page = pages.page_of(model)
        if page is None:
            return answer
        members = model.page_model["result_key"] if model.page_model else page.result
        members = [members] if isinstance(members, str) else members
        whole = [(member, item) for member in members for item in answer[member]]
        part = pages.paginate(model, whole, params, owner=ctx.caller.account, default_limit=PAGE)
        shown = part.pop(page.result)
        lists = {member: [item for own, item in shown if own == member] for member in members}
        return {**answer, **lists, page.output_token: None, **part}

    return paged
