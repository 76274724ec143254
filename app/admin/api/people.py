"""Customers, and everything that happened to one of them."""

from typing import Any

from fastapi import APIRouter

from app.admin.auth import Reader
from app.admin.fields import Plain, moment
from app.admin.listing import PageDep, listing, matches, single
from app.admin.rows import CUSTOMERS
from app.base.errors import AppError
from app.base.ids import parse_public_id
from app.base.web.context import ContextDep, SessionDep
from app.customers.contact import email_identity
from app.customers.models import Customer
from app.insight.timeline import timeline

router = APIRouter(prefix="/customers", tags=["people"])


@router.get("")
async def list_customers(
    caller: Reader, page: PageDep, session: SessionDep, email: Plain | None = None
) -> dict[str, Any]:
    """People, newest first; `email` finds one and wants the scope `pii`."""
    if email is not None and not caller.sees_people:
        raise AppError("missing_scope", "Finding people by e-mail wants the scope 'pii'.", status=403)
    wanted = None if email is None else email_identity(email) or ""
    return await listing(session, page, caller, CUSTOMERS, matches(Customer.email, wanted))


@router.get("/{id}")
async def show_customer(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    context: ContextDep,
    session: SessionDep,
) -> dict[str, Any]:
    """One person with their time line, oldest first: every fact and every decision, also why something was not sent."""
    customer_id = parse_public_id("cus", id)
    person = await single(session, caller, CUSTOMERS, customer_id)
    happened = await timeline(session, context.tokens, caller.brand_id, customer_id, pii=caller.sees_people)
    person["timeline"] = [
        {"at": moment(each.at), "kind": each.kind, "text": each.text, **each.facts} for each in happened
    ]
    return person
