"""Testimonials: what customers allowed the brand to show to others."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer
from app.admin.fields import Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.listing import PageDep, list_page, matches
from app.admin.response_work import FullResponse, in_band, load_response, withdraw
from app.admin.rows import TESTIMONIALS
from app.base import clock
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.models import Shop
from app.surveys.rules import Band
from app.surveys.testimonials import TestimonialRow

router = APIRouter(tags=["surveys"], route_class=ApiRoute)


class TestimonialFilters(BaseModel):
    """Which testimonials are listed."""

    band: Band | None = None
    shop: Plain | None = None


@router.get("/testimonials")
async def list_testimonials(
    caller: Reader, page: PageDep, session: SessionDep, wanted: Annotated[TestimonialFilters, Query()]
) -> Page[TestimonialRow]:
    """What may be shown to others, newest first: words with a first name, as customers allowed."""
    conditions = in_band(wanted.band), matches(Shop.slug, wanted.shop)
    return await list_page(session, page, caller, TESTIMONIALS, *conditions)


@router.delete("/testimonials/{id}", response_model=FullResponse, responses=problems(404, 409))
async def withdraw_testimonial(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Writer,
    context: ContextDep,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Take back that a customer's words may be shown, as they asked for; the answer stays."""

    async def act() -> WriteResult:
        response_id = parse_public_id("rsp", id)
        await withdraw(write.session, caller, response_id, now=clock.now())
        write.session.expire_all()
        return WriteResult(await load_response(write.session, context, caller, response_id))

    return await write.run(caller, act)
