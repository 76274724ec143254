"""Customers, everything that happened to one of them, and their rights over their data."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer
from app.admin.erase_person import erase_person
from app.admin.fields import Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.listing import PageDep, get_row, list_page, matches
from app.admin.person import PersonSummary, person_summary
from app.admin.reads import record_person_export
from app.admin.rows import CUSTOMERS, DATA_REQUESTS
from app.admin.search import SearchHits, search
from app.base import clock
from app.base.actor import Actor
from app.base.errors import AppError, NotFound
from app.base.ids import parse_public_id, public_id
from app.base.schemas import ApiModel, Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_brand
from app.customers.contact import email_identity
from app.customers.former import with_former
from app.customers.models import Customer
from app.customers.schemas import CustomerRow
from app.ingest.data_requests import find_request_customers, finish_request
from app.ingest.models import DataRequest
from app.ingest.schemas import DataRequestRow, ErasedPeople
from app.insight.person import export_people
from app.insight.schemas import CustomerDetail, PersonExport
from app.insight.timeline import timeline

router = APIRouter(tags=["people"], route_class=ApiRoute)


@router.get("/customers")
async def list_customers(
    caller: Reader, page: PageDep, session: SessionDep, email: Plain | None = None
) -> Page[CustomerRow]:
    """Customers, newest first; `email` finds one and needs the scope `pii`."""
    if email is not None:
        _check_sees_people(caller)
    wanted = None if email is None else email_identity(email) or ""
    return await list_page(session, page, caller, CUSTOMERS, matches(Customer.email, wanted))


@router.get("/search")
async def search_people(
    caller: Reader,
    session: SessionDep,
    q: Annotated[Plain, Query(description="Names, addresses and order numbers also by their beginning.")],
) -> SearchHits:
    """People by an order number, a code or an id; with `pii` by name, address and phone number."""
    return await search(session, caller, q)


@router.get("/customers/{id}", response_model_exclude_unset=True, responses=problems(404))
async def show_customer(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    context: ContextDep,
    session: SessionDep,
) -> CustomerDetail:
    """One customer with their timeline, oldest first.

    It has every fact and every decision, also why something was not sent.
    """
    customer_id = parse_public_id("cus", id)
    customer = await get_row(session, caller, CUSTOMERS, customer_id)
    happened = await timeline(
        session,
        context.tokens,
        caller.brand_id,
        customer_id,
        pii=caller.sees_people,
        shops=caller.shops,
    )
    return CustomerDetail.of(customer, happened)


@router.get("/customers/{id}/summary", responses=problems(404))
async def show_customer_summary(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    context: ContextDep,
    session: SessionDep,
) -> PersonSummary:
    """Whether they may be written to, and their latest orders, answers, codes and rewards."""
    customer_id = parse_public_id("cus", id)
    await get_row(session, caller, CUSTOMERS, customer_id)
    brand = await load_brand(session, caller.brand_id)
    return await person_summary(session, context, brand, caller, customer_id)


@router.get("/customers/{id}/export", response_model_exclude_unset=True, responses=problems(404))
async def export_customer(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    context: ContextDep,
    session: SessionDep,
) -> PersonExport:
    """Everything stored about a person, raw deliveries and messages as sent too; needs `pii`."""
    _check_sees_people(caller)
    customer_id = parse_public_id("cus", id)
    await get_row(session, caller, CUSTOMERS, customer_id)
    await record_person_export(session, caller, customer_id)
    ids = await with_former(session, caller.brand_id, [customer_id])
    return await export_people(session, context, await load_brand(session, caller.brand_id), ids)


class ErasureBody(ApiModel, extra="forbid"):
    """Whom to erase: exactly one of `email`, `phone` and `id`."""

    email: Plain | None = None
    phone: Annotated[Plain | None, Field(description="With the country's prefix.")] = None
    id: Annotated[Plain | None, Field(description="`cus_…`, or a shop's own id of the person.")] = None
    shop: Annotated[Plain | None, Field(description="The shop's slug, where several shops know the id.")] = (
        None
    )


@router.post(
    "/customers/erase", name="erase_person", response_model=ErasedPeople, responses=problems(404, 409)
)
async def erase_by_name(
    body: ErasureBody, caller: Writer, context: ContextDep, once: IdempotentWriteDep
) -> JSONResponse:
    """Erase a person, found by an address, a number or an id; amounts stay without a name.

    Somebody whom only raw deliveries name is erased there. What the tables hold is gone with the
    response; raw deliveries follow within seconds.
    """

    async def act() -> WriteResult:
        now = clock.now()
        names = {"email": body.email, "phone": body.phone, "reference": body.id, "shop": body.shop}
        found = await erase_person(once.session, context, caller, names, now=now)
        if found is None:
            raise NotFound("The brand holds nothing of this person.")
        return WriteResult(ErasedPeople(erased_at=now, customers=_public(sorted(found))))

    return await once.run(caller, act)


@router.post("/customers/{id}/erase", response_model=CustomerRow, responses=problems(404))
async def erase_customer(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Writer,
    context: ContextDep,
    once: IdempotentWriteDep,
) -> JSONResponse:
    """Erase this person; amounts and scores stay without a name."""

    async def act() -> WriteResult:
        customer_id = parse_public_id("cus", id)
        await get_row(once.session, caller, CUSTOMERS, customer_id)
        await erase_person(once.session, context, caller, {"reference": id}, now=clock.now())
        once.session.expire_all()
        return WriteResult(await get_row(once.session, caller, CUSTOMERS, customer_id))

    return await once.run(caller, act)


@router.get("/data-requests")
async def list_data_requests(
    caller: Reader, page: PageDep, session: SessionDep, done: bool | None = None
) -> Page[DataRequestRow]:
    """People's requests for their data that platforms passed on, newest first."""
    conditions = [] if done is None else [DataRequest.done_at.is_not(None) == done]
    return await list_page(session, page, caller, DATA_REQUESTS, *conditions)


@router.get("/data-requests/{id}/export", response_model_exclude_unset=True, responses=problems(404))
async def export_data_request(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    context: ContextDep,
    session: SessionDep,
) -> PersonExport:
    """Everything stored now about the person who asked, if anything; needs the scope `pii`."""
    _check_sees_people(caller)
    request_id = parse_public_id("drq", id)
    found = await find_request_customers(session, caller.brand_id, request_id)
    for customer_id in found:
        await record_person_export(session, caller, customer_id)
    ids = await with_former(session, caller.brand_id, found) if found else set()
    return await export_people(session, context, await load_brand(session, caller.brand_id), ids)


@router.post("/data-requests/{id}/done", response_model=DataRequestRow, responses=problems(404))
async def finish_data_request(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Writer,
    once: IdempotentWriteDep,
) -> JSONResponse:
    """Record that the person has their data."""

    async def act() -> WriteResult:
        request_id = parse_public_id("drq", id)
        await finish_request(once.session, caller.brand_id, request_id, actor=caller, now=clock.now())
        return WriteResult(await get_row(once.session, caller, DATA_REQUESTS, request_id))

    return await once.run(caller, act)


def _check_sees_people(caller: Actor) -> None:
    if not caller.sees_people:
        raise AppError("missing_scope", "People's own data needs the scope 'pii'.", status=403)


def _public(ids: list[UUID]) -> list[str]:
    return [public_id("cus", each) for each in ids]
