"""Codes that strangers know: when one is taken for leaked, and what takes its place."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.base.actor import cli_actor
from app.base.audit import AuditAction, AuditEntry
from app.base.errors import AppError
from app.messaging.models import Message
from app.messaging.rules import MessageStatus
from app.referrals.leak_rules import CodeUse, LeakReason, leak_reason
from app.referrals.models import Code
from app.referrals.publishing import pool
from app.referrals.replace_leaked import issue_again, replace_code
from app.referrals.rules import PublicationState
from app.referrals.templates import OFFER
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import issue

LATER = NOW + timedelta(days=3)


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (CodeUse(orders=4, in_a_day=4, turned_away=4, visits=0), None),
        (CodeUse(orders=5, in_a_day=0, turned_away=0, visits=2), LeakReason.without_visits),
        (CodeUse(orders=6, in_a_day=0, turned_away=4, visits=3), None),
        (CodeUse(orders=5, in_a_day=0, turned_away=5, visits=9), LeakReason.turned_away),
        (CodeUse(orders=10, in_a_day=9, turned_away=0, visits=5), None),
        (CodeUse(orders=10, in_a_day=10, turned_away=0, visits=50), LeakReason.many_in_a_day),
    ],
)
def test_a_code_is_taken_for_leaked_where_its_users_are_no_friends(use, reason):
    assert leak_reason(use) == reason


async def replaced(context, brand, code, at=LATER):
    async with context.sessions.begin() as session:
        return await replace_code(session, context, brand, code, actor=cli_actor(brand.id), now=at)


async def offers_of(context, code):
    async with context.sessions() as session:
        wanted = select(Message).where(Message.template == OFFER.name, Message.subject_id == code.id)
        return list(await session.scalars(wanted))


async def stored(context, code):
    async with context.sessions() as session:
        return await session.get_one(Code, (code.brand_id, code.id))


async def test_a_replaced_code_gives_way_to_a_new_one_that_its_referrer_is_told_once(context, brand, shop):
    old = await issue(context, brand, shop, await make_customer(context, brand))
    new, other = await asyncio.gather(
        replaced(context, brand, old.display.lower()),
        replaced(context, brand, old.display),
        return_exceptions=True,
    )
    refused, new = (new, other) if isinstance(new, AppError) else (other, new)
    assert (refused.code, refused.status) == ("not_replaceable", 409)
    before = await stored(context, old)
    assert (before.active, before.disabled_at) == (False, LATER)
    assert (new.active, new.uses, new.referrer_id) == (True, 0, old.referrer_id)
    kept = ("kind", "terms_id", "discount_value", "max_uses", "expires_at", "redeemable")
    assert [getattr(new, name) for name in kept] == [getattr(old, name) for name in kept]
    assert [each.status for each in await offers_of(context, old)] == [MessageStatus.cancelled]
    assert [each.status for each in await offers_of(context, new)] == [MessageStatus.planned]
    with pytest.raises(AppError, match="already"):
        await replaced(context, brand, old.display)
    async with context.sessions() as session:
        actions = await session.scalars(select(AuditEntry.action).where(AuditEntry.subject_id == old.id))
        assert list(actions) == [AuditAction.code_replaced]


async def test_in_a_connected_shop_a_code_of_the_pool_takes_its_place_and_the_old_one_leaves(
    fern, monkeypatch
):
    monkeypatch.setattr(pool, "POOL_SIZE", 2)
    monkeypatch.setattr(pool, "REFILLED_BELOW", 2)
    await fern.publish_all()
    old = await fern.issue()
    await fern.publish_all()
    ready = [each for each in fern.codes_there() if each != old.display]
    new = await replaced(fern.context, fern.brand, old.display, NOW)
    assert new.display in ready
    assert [each.subject_id for each in await fern.offers() if each.status is MessageStatus.planned] == [
        new.id
    ]
    await fern.publish_all()
    states = {each.code_id: each.state for each in await fern.publications()}
    assert (states[old.id], states[new.id]) == (PublicationState.revoked, PublicationState.live)
    assert old.display not in fern.codes_there()
    # Without a code that lies ready the new one is announced once the shop knows it.
    monkeypatch.setattr("app.referrals.replace_leaked.take_pooled", no_pooled)
    late = await replaced(fern.context, fern.brand, new.display, NOW)
    assert await offers_of(fern.context, late) == []
    await fern.publish()
    assert len(await offers_of(fern.context, late)) == 1


async def no_pooled(*_given, **_named):
    return []


async def test_who_has_no_working_code_gets_a_new_one_under_the_terms_in_force(context, brand, shop):
    old = await issue(context, brand, shop, await make_customer(context, brand))

    async def again(at=LATER):
        async with context.sessions.begin() as session:
            actor = cli_actor(brand.id)
            return await issue_again(session, context, brand, old.referrer_id, actor=actor, now=at)

    with pytest.raises(AppError) as refused:
        await again()
    assert refused.value.code == "has_code"
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.id == old.id).values(expires_at=LATER))
    await set_terms(context, brand, {"offers_enabled": False})
    with pytest.raises(AppError, match="switched off") as refused:
        await again()
    assert (refused.value.code, refused.value.status) == ("offer_withheld", 409)
    assert (await stored(context, old)).active, "what is refused changes nothing"
    await set_terms(context, brand, {"offers_enabled": True, "offer": {"valid_days": 10}})
    new = await again()
    assert (new.expires_at, new.uses) == (LATER + timedelta(days=10), 0)
    assert not (await stored(context, old)).active
    assert len(await offers_of(context, new)) == 1
