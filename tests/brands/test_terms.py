"""Offer and reward terms are kept once per content."""

from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import DBAPIError

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.add import change_programme
from app.brands.find import load_programme
from app.brands.models import Brand, TermsVersion
from app.brands.programme import Programme
from app.brands.terms import load_terms, terms_of


async def count_terms(context: AppContext) -> int:
    async with context.sessions() as session:
        return (await session.execute(select(func.count()).select_from(TermsVersion))).scalar_one()


async def put(context: AppContext, brand: Brand, programme: dict[str, object]) -> UUID:
    async with context.sessions.begin() as session:
        changed = await change_programme(
            session, brand.id, Programme.model_validate(programme), actor=cli_actor(brand.id)
        )
        return changed.terms_id


async def test_changed_survey_delay_or_switch_changes_no_terms(context: AppContext, brand: Brand) -> None:
    async with context.sessions() as session:
        first = (await load_programme(session, brand.id)).terms_id
    assert await put(context, brand, {"survey": {"delay_hours": 1}}) == first
    assert await put(context, brand, {"offers_enabled": False, "ends_at": "2030-01-01T00:00:00Z"}) == first
    assert await count_terms(context) == 1


async def test_terms_that_come_back_are_the_same_row(context: AppContext, brand: Brand) -> None:
    ten = await put(context, brand, {"offer": {"friend_discount": {"value": "15.00"}}})
    other = await put(context, brand, {"offer": {"friend_discount": {"value": "20.00"}}})
    assert await put(context, brand, {"offer": {"friend_discount": {"value": "15.00"}}}) == ten != other
    assert await count_terms(context) == 3
    async with context.sessions() as session:
        in_force = await load_programme(session, brand.id)
        assert await load_terms(session, brand.id, [in_force.terms_id]) == {ten: terms_of(in_force.programme)}


async def test_terms_are_never_changed(context: AppContext, brand: Brand) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        async with context.sessions.begin() as session:
            await session.execute(
                update(TermsVersion).where(TermsVersion.brand_id == brand.id).values(offer={})
            )


async def test_terms_are_read_once_and_belong_to_their_brand(context: AppContext, brand: Brand) -> None:
    terms_id = await put(context, brand, {"offer": {"friend_discount": {"value": "13.37"}}})
    seen: list[object] = []
    event.listen(context.engine.sync_engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    async with context.sessions() as session:
        first = await load_terms(session, brand.id, [terms_id])
        queries = len(seen)
        assert await load_terms(session, brand.id, [terms_id]) == first
        assert len(seen) == queries
        assert first[terms_id].offer.friend_discount.percent == Decimal("13.37")
        assert await load_terms(session, brand.id + 1, [terms_id]) == {}
