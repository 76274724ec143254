"""Lists as CSV: streamed, and safe to open in a spreadsheet."""

import csv
import io
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from operator import attrgetter
from uuid import UUID

from app.admin.resources import Resource
from app.admin.rows import CODES, LEDGER, REDEMPTIONS, REFERRERS, RESPONSES
from app.base.actor import Actor
from app.base.context import AppContext
from app.base.db import allow_long_reading
from app.base.schemas import RowModel

_CHUNK = 1000
_FORMULA = re.compile(r"(^|[;\t\r\n])([\s\"']*)(?=[=+\-@|%\uff1d\uff0b\uff0d\uff20])")
"""What begins a formula at the start of a cell. Excel splits at semicolons in many countries, and
programs at tabs and line breaks, so these start one too. Full-width signs count as the others."""
_BROKEN_START = re.compile(r"[\t\r\n]")
BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel reads UTF-8 as the machine's old encoding."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class ExportName(StrEnum):
    """The lists that can be exported as CSV."""

    responses = "responses"
    referrers = "referrers"
    codes = "codes"
    redemptions = "redemptions"
    ledger = "ledger"


@dataclass(frozen=True, slots=True)
class Export:
    """A list and its columns: fields of its rows, `discount.kind` for a field of a field."""

    resource: Resource[RowModel]
    columns: Sequence[str]


EXPORTS = {
    ExportName.responses: Export(
        RESPONSES,
        [
            "id",
            "answered_at",
            "score",
            "band",
            "comment",
            "channel",
            "testimonial_consent",
            "customer",
            "order",
            "survey",
            "changes",
            "state",
            "tags",
        ],
    ),
    ExportName.referrers: Export(
        REFERRERS,
        [
            "id",
            "created_at",
            "customer",
            "email",
            "name",
            "slug",
            "shop",
            "survey",
            "codes",
            "visits",
            "redemptions",
            "approved",
            "revoked_at",
            "friends",
            "orders",
            "revenue",
            "cost",
            "profit",
            "currency",
            "last_order_at",
        ],
    ),
    ExportName.codes: Export(
        CODES,
        [
            "id",
            "created_at",
            "code",
            "kind",
            "parent",
            "referrer",
            "status",
            "uses",
            "max_uses",
            "expires_at",
            "discount.kind",
            "discount.value",
            "discount.currency",
            "minimum_subtotal",
        ],
    ),
    ExportName.redemptions: Export(
        REDEMPTIONS,
        [
            "id",
            "created_at",
            "code",
            "referrer",
            "friend",
            "order",
            "order_number",
            "amount_off",
            "currency",
            "status",
            "reason",
            "hold_until",
            "approved_at",
            "reversed_at",
        ],
    ),
    ExportName.ledger: Export(
        LEDGER,
        [
            "id",
            "occurred_at",
            "posted_on",
            "transaction",
            "account",
            "amount",
            "currency",
            "cause.kind",
            "cause.id",
            "referrer",
            "transaction_key",
        ],
    ),
}


def cell(value: object) -> str:
    """A value as the text of a cell: times in UTC with `Z`, lists with commas.

    An apostrophe stands before whatever a spreadsheet would take for a formula, also after a
    semicolon, a tab or a line break inside the text; plain numbers have none.
    """
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case list():
            text = ", ".join(str(each) for each in value)
        case _:
            text = str(value)
    if _NUMBER.fullmatch(text):
        return text
    inert = _FORMULA.sub(lambda found: f"{found[1]}'{found[2]}", text)
    return f"'{inert}" if _BROKEN_START.match(inert) else inert


async def csv_lines(context: AppContext, caller: Actor, export: Export) -> AsyncIterator[str]:
    """What the caller may see of the list, oldest first, 1,000 lines at a time.

    Any number of rows fits in memory.

    Each part is read when it is asked for, in a transaction of its own: a client that reads slowly
    holds no connection. The first part is read at once, so that a database that is away is an error
    rather than an empty list.
    """
    parts = _parts(context, caller, export)
    first = await anext(parts)

    async def lines() -> AsyncIterator[str]:
        yield first
        async for part in parts:
            yield part

    return lines()


async def _parts(context: AppContext, caller: Actor, export: Export) -> AsyncIterator[str]:
    resource = export.resource
    fields = attrgetter(*export.columns)
    lines = [[column.replace(".", "_") for column in export.columns]]
    query = resource.visible(caller).order_by(resource.key).limit(_CHUNK)
    after: UUID | None = None
    mark = BYTE_ORDER_MARK
    while True:
        async with context.sessions() as session:
            await allow_long_reading(session)
            page = query if after is None else query.where(resource.key > after)
            rows = (await session.execute(page)).all()
        lines += [
            [cell(value) for value in fields(resource.shape(row, pii=caller.sees_people))] for row in rows
        ]
        yield mark + _csv(lines)
        if len(rows) < _CHUNK:
            return
        after, lines, mark = rows[-1].id, [], ""


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
