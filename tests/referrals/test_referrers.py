"""Referrers with and without a customer, and codes that their shop does not know yet."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.tokens import Subject
from app.brands.models import Brand, Shop
from app.ledger.models import LedgerEntry
from app.messaging.models import Message
from app.platforms.connection_types import Connection
from app.platforms.connections import save_connection
from app.platforms.registry import adapter_of
from app.referrals.friend_offer import find_offer
from app.referrals.issue import add_referrer
from app.referrals.models import Code, Referrer
from app.referrals.progress import find_progress
from app.referrals.rules import CodeKind, RedemptionStatus, RewardStatus
from app.referrals.share import find_share
from app.referrals.visit import record_visit, visitor_of
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.referrals import (
    balances,
    friend_orders,
    issue,
    make_referrer,
    owner_of,
    reward_of,
    settle,
)


async def count_messages(context: AppContext) -> int:
    async with context.sessions() as session:
        return (await session.execute(select(func.count()).select_from(Message))).scalar_one()


async def test_referrer_without_a_customer_earns_rewards_and_gets_no_message(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as session:
        referrer, code = await add_referrer(session, brand, shop.id, now=NOW)
    async with context.sessions.begin() as session:
        offer = await find_offer(session, referrer.slug, now=NOW)
        assert offer is not None
        assert (offer.code, offer.first_name) == (code.display, None)
        visitor = visitor_of(context.tokens, offer, "a network", "a browser", now=NOW)
        await record_visit(session, offer, visitor, now=NOW)
    redemption = await friend_orders(context, brand, shop, code.code)
    assert (redemption.status, redemption.referrer_id) == (RedemptionStatus.pending, referrer.id)
    await settle(context)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert (reward.status, reward.referrer_id) == (RewardStatus.granted, referrer.id)
    assert (await balances(context, brand))["referrers"] == -1000
    async with context.sessions() as session:
        entries = await session.scalars(select(LedgerEntry))
        assert {(each.referrer_id, each.cause_id) for each in entries} == {(referrer.id, redemption.id)}
        progress = await find_progress(
            session, "https://nps.example", Subject(brand.id, referrer.id), now=NOW + timedelta(days=20)
        )
    assert progress is not None
    assert (progress.customer_id, progress.clicks, progress.uses) == (None, 1, 1)
    assert progress.earned == ["€10"]
    assert await count_messages(context) == 0


async def test_customer_is_one_referrer_and_any_number_have_no_customer(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    for _ in range(2):
        async with context.sessions.begin() as session:
            await add_referrer(session, brand, shop.id, now=NOW)
    code = await make_referrer(context, brand, shop)
    customer_id = await owner_of(context, code)
    with pytest.raises(IntegrityError):
        async with context.sessions.begin() as session:
            session.add(Referrer(brand_id=brand.id, customer_id=customer_id, slug="other", shop_id=shop.id))


async def test_referrer_has_one_active_share_code(context: AppContext, brand: Brand, shop: Shop) -> None:
    code = await make_referrer(context, brand, shop)
    values = {
        column.key: getattr(code, column.key)
        for column in Code.__table__.columns
        if column.key not in ("id", "code", "display", "created_at")
    }
    with pytest.raises(IntegrityError):
        async with context.sessions.begin() as session:
            session.add(Code(**values, code="SECOND", display="SECOND"))
    friend = values | {"kind": CodeKind.friend, "parent_id": code.id}
    async with context.sessions.begin() as session:
        session.add(Code(**friend, code="FRIEND", display="FRIEND"))
    with pytest.raises(IntegrityError):
        async with context.sessions.begin() as session:
            session.add(Code(**(friend | {"parent_id": None}), code="ORPHAN", display="ORPHAN"))


async def test_code_is_neither_shown_nor_mailed_before_its_shop_knows_it(
    context: AppContext, brand: Brand, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(adapter_of(shop.platform)), "publishes_codes", True)
    connection = Connection("acme", {})
    async with context.sessions.begin() as session:
        await save_connection(
            session, context.tokens, brand.id, shop.id, connection, actor=cli_actor(brand.id), now=NOW
        )
    customer_id = await make_customer(context, brand)
    code = await issue(context, brand, shop, customer_id)
    assert await count_messages(context) == 0
    async with context.sessions() as session:
        share = await find_share(session, "https://nps.example", brand, customer_id, now=NOW)
        assert share is not None
        assert share.code is None
        assert code.display not in share.share_text
        slug = await session.scalar(select(Referrer.slug).where(Referrer.id == code.referrer_id))
        assert slug is not None
        offer = await find_offer(session, slug, now=NOW)
        assert offer is not None
        assert (offer.code, offer.link, offer.is_pending) == (None, None, True)
    assert (await issue(context, brand, shop, customer_id)).id == code.id
    assert await count_messages(context) == 0


async def test_reward_is_pending_during_the_holding_period(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    redemption = await friend_orders(context, brand, shop, code.code)
    reward = await reward_of(context, brand, redemption.id)
    assert reward is not None
    assert (reward.status, reward.amount, reward.net_amount, reward.granted_at) == (
        RewardStatus.pending,
        1000,
        1000,
        None,
    )
    assert "reward_cost" not in await balances(context, brand)
