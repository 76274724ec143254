"""Testimonials: what customers allowed the brand to show to others, and taking that back."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field
from sqlalchemy import Boolean, ColumnElement, Row, literal_column
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import AppError
from app.base.ids import public_id
from app.base.masking import without_addresses
from app.base.schemas import RowModel
from app.customers.names import shown_name
from app.surveys.models import TESTIMONIAL, Response
from app.surveys.rules import Band, band_of
from app.surveys.work import lock_response, record_work
from app.surveys.work_rules import WorkEvent

IS_TESTIMONIAL: ColumnElement[bool] = literal_column(TESTIMONIAL.format("responses."), Boolean)
"""Whether the customer allowed their words to be shown, and wrote some."""


class TestimonialRow(RowModel):
    """Words that may be shown to others, as the customer allowed: with their first name alone."""

    created_at: datetime
    answered_at: datetime
    shop: str
    score: int
    band: Band | str
    text: str = Field(description="The comment, with `…` for addresses and long numbers, also with `pii`.")
    first_name: str | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:  # noqa: ARG003  # all of it may be shown
        """From a row of `app.surveys.listed.select_responses`."""
        response: Response = row.Response
        return cls(
            id=public_id("rsp", response.id),
            created_at=response.created_at,
            answered_at=response.answered_at,
            shop=row.shop,
            score=response.score,
            band=band_of(response.score),
            text=without_addresses(response.comment or ""),
            first_name=shown_name(row.first_name),
        )


async def withdraw_testimonial(
    session: AsyncSession, response_id: UUID, *, actor: Actor, now: datetime
) -> None:
    """Take back that a customer's words may be shown, as they asked for.

    Raises NotFound, and AppError (`no_testimonial`, 409) where they never allowed it or took it
    back.
    """
    response = await lock_response(session, actor.brand_id, response_id)
    if not response.testimonial_consent:
        raise AppError("no_testimonial", "This customer does not allow their words to be shown.", status=409)
    response.testimonial_consent = False
    await session.flush()
    await record_work(session, response_id, [(WorkEvent.withdrawn, None)], actor=actor, now=now)
    await record_action(session, actor, AuditAction.testimonial_withdrawn, ("rsp", response_id))
