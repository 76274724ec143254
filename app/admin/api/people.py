"""Customers, and everything that happened to one of them."""

from fastapi import APIRouter

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader
from app.admin.fields import Plain
from app.admin.listing import PageDep, get_row, list_page, matches
from app.admin.rows import CUSTOMERS
from app.base.errors import AppError
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.customers.contact import email_identity
from app.customers.models import Customer
from app.customers.schemas import CustomerRow
from app.insight.schemas import CustomerDetail
from app.insight.timeline import timeline

router = APIRouter(prefix="/customers", tags=["people"], route_class=ApiRoute)


@router.get("")
async def list_customers(
    caller: Reader, page: PageDep, session: SessionDep, email: Plain | None = None
) -> Page[CustomerRow]:
    """Customers, newest first; `email` finds one and needs the scope `pii`."""
    if email is not None and not caller.sees_people:
        raise AppError("missing_scope", "Finding people by e-mail needs the scope 'pii'.", status=403)
    wanted = None if email is None else email_identity(email) or ""
    return await list_page(session, page, caller, CUSTOMERS, matches(Customer.email, wanted))


@router.get("/{id}", response_model_exclude_unset=True, responses=problems(404))
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
    happened = await timeline(session, context.tokens, caller.brand_id, customer_id, pii=caller.sees_people)
    return CustomerDetail.of(customer, happened)
