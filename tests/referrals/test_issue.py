"""A promoter gets a slug, one active code, and one offer a channel."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.errors import AppError
from app.brands.add import add_shop
from app.brands.find import load_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.insight.timeline import timeline
from app.messaging.models import Message
from app.messaging.rules import Priority
from app.referrals import code_drafts, new_codes
from app.referrals.disable import disable_code
from app.referrals.erase import erase_referrals
from app.referrals.issue import LoadedBrand, issue_offers
from app.referrals.models import Code, Referrer
from app.referrals.new_codes import NewReferrer
from app.referrals.publishing.models import CodePublication
from app.referrals.rules import CodeKind, PublicationState
from app.referrals.share import find_share
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import code_of, issue, make_referrer, owner_of


async def messages(context: AppContext, brand: Brand) -> list[Message]:
    async with context.sessions() as session:
        return list(
            await session.scalars(
                select(Message).where(Message.brand_id == brand.id).order_by(Message.channel)
            )
        )


async def count(context: AppContext, model: type, brand: Brand) -> int:
    async with context.sessions() as session:
        return (
            await session.execute(select(func.count()).select_from(model).where(model.brand_id == brand.id))
        ).scalar_one()


async def publications(context: AppContext, code: Code) -> list[tuple[UUID, str, datetime | None]]:
    async with context.sessions() as session:
        rows = await session.execute(
            select(CodePublication.shop_id, CodePublication.state, CodePublication.live_at).where(
                CodePublication.code_id == code.id
            )
        )
        return [tuple(row) for row in rows]


async def test_promoter_gets_a_code_under_the_terms_in_force_and_an_urgent_offer(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    assert len(code.code) == 10
    assert (code.kind, code.uses, code.max_uses, code.currency) == (CodeKind.share, 0, 10, "EUR")
    assert await publications(context, code) == [(shop.id, PublicationState.live, NOW)]
    assert code.expires_at == NOW + timedelta(days=180)
    [message] = await messages(context, brand)
    assert (message.template, message.subject_id, message.priority, message.at_once) == (
        "offer",
        code.id,
        Priority.urgent,
        True,
    )
    assert message.template_params["code"] == code.display
    assert (message.template_params["discount"], message.template_params["reward"]) == ("10%", "€10")
    assert message.template_params["expires_on"] == "2026-09-05"


async def test_second_response_reuses_the_code_and_sends_nothing_more(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    again = await issue(context, brand, shop, await owner_of(context, code), now=NOW + timedelta(days=100))
    assert again.id == code.id
    assert await count(context, Message, brand) == 1


@pytest.mark.parametrize("worn_out", ["expired", "disabled", "exhausted"])
async def test_a_code_that_no_longer_works_is_superseded(
    context: AppContext, brand: Brand, shop: Shop, worn_out: str
) -> None:
    code = await make_referrer(context, brand, shop)
    values = {"expired": {"expires_at": NOW}, "disabled": {"disabled_at": NOW}, "exhausted": {"uses": 10}}[
        worn_out
    ]
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.id == code.id).values(values))
    fresh = await issue(context, brand, shop, await owner_of(context, code))
    assert fresh.id != code.id
    assert not (await code_of(context, brand, code.id)).active
    assert await count(context, Message, brand) == 2


async def withheld(context: AppContext, brand: Brand, customer_id: UUID) -> list[str]:
    """What the timeline says about offers that were not given or not sent."""
    async with context.sessions() as session:
        entries = await timeline(session, context.tokens, brand.id, customer_id)
    return sorted((each.text for each in entries if each.kind == "offer_withheld"), key=len)


async def test_many_concurrent_responses_issue_one_code(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    customers = [await make_customer(context, brand) for _ in range(3)]

    async def answer(order: list) -> None:
        async with context.sessions.begin() as session:
            await issue_offers(
                session, context.tokens, brand, [NewReferrer(one, shop.id) for one in order], now=NOW
            )

    await asyncio.gather(*(answer(customers if turn % 2 else customers[::-1]) for turn in range(12)))
    assert (
        await count(context, Referrer, brand),
        await count(context, Code, brand),
        await count(context, Message, brand),
    ) == (
        3,
        3,
        3,
    )


async def test_a_thousand_promoters_in_one_batch(context: AppContext, brand: Brand, shop: Shop) -> None:
    from app.base.ids import new_id
    from app.customers.models import Customer

    ids = [new_id() for _ in range(1000)]
    async with context.sessions.begin() as session:
        session.add_all(
            [Customer(brand_id=brand.id, id=one, email=f"{one.hex}@example.com", country="FR") for one in ids]
        )
        await session.flush()
        await issue_offers(
            session, context.tokens, brand, [NewReferrer(one, shop.id) for one in ids], now=NOW
        )
    assert (await count(context, Code, brand), await count(context, Message, brand)) == (1000, 1000)


async def test_nothing_is_issued_while_not_offering_outside_its_time_or_to_the_holdout(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    customer = await make_customer(context, brand)
    terms = [
        {"offers_enabled": False},
        {"ends_at": NOW.isoformat()},
        {"starts_at": (NOW + timedelta(days=1)).isoformat()},
        {"offer": {"holdout_percent": 100}},
    ]
    for each in terms:
        await set_terms(context, brand, each)
        async with context.sessions.begin() as session:
            await issue_offers(session, context.tokens, brand, [NewReferrer(customer, shop.id)], now=NOW)
            await issue_offers(session, context.tokens, brand, [NewReferrer(customer, shop.id)], now=NOW)
    assert await count(context, Referrer, brand) == 0
    assert await withheld(context, brand, customer) == [
        "Was not given an offer: offers were switched off.",
        "Was not given an offer: the programme was not running.",
        "Was not given an offer: they are in the share of people who get none, for comparison.",
    ]


async def test_a_revoked_referrers_new_answer_says_why_there_is_no_offer(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    customer = await owner_of(context, code)
    async with context.sessions.begin() as session:
        await session.execute(update(Referrer).values(revoked_at=NOW))
        await issue_offers(session, context.tokens, brand, [NewReferrer(customer, shop.id)], now=NOW)
    assert await withheld(context, brand, customer) == [
        "Was not given an offer: their share link was revoked."
    ]


async def test_named_code_carries_the_first_name_until_the_person_is_erased(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await set_terms(context, brand, {"offer": {"code_style": "named"}})
    code = await make_referrer(context, brand, shop, first_name="Ana")
    assert code.display.startswith("ANA-")
    assert code.code == code.display.replace("-", "")
    for _ in range(2):
        async with context.sessions.begin() as session:
            await erase_referrals(session, context.tokens, brand.id, [await owner_of(context, code)], now=NOW)
    kept = await code_of(context, brand, code.id)
    assert "ANA" not in kept.code + kept.display or kept.display == code.id.hex.upper()
    assert not kept.active


async def test_a_text_waits_for_the_end_of_the_quiet_hours_and_an_email_does_not(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    late = datetime(2026, 3, 10, 21, 30, tzinfo=UTC)
    await make_referrer(context, brand, shop, phone="+33612345678", consents={Channel.sms: True}, now=late)
    mail, text = await messages(context, brand)
    assert (mail.channel, mail.due_at, mail.at_once) == (Channel.email, late, True)
    assert (text.channel, text.due_at, text.at_once) == (
        Channel.sms,
        datetime(2026, 3, 11, 8, tzinfo=UTC),
        False,
    )


async def test_a_trials_offer_by_text_waits_for_no_quiet_hours(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    late = datetime(2026, 3, 10, 21, 30, tzinfo=UTC)
    customer_id = await make_customer(context, brand, phone="+33612345678", consents={Channel.sms: True})
    async with context.sessions.begin() as session:
        promoter = NewReferrer(customer_id, shop.id, trial=True)
        await issue_offers(session, context.tokens, brand, [promoter], now=late)
    assert [each.due_at for each in await messages(context, brand)] == [late, late]


async def test_without_consent_there_is_a_code_and_no_message(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop, consents={Channel.email: False})
    assert await count(context, Message, brand) == 0
    assert await withheld(context, brand, await owner_of(context, code)) == [
        "The offer was not sent by e-mail: they did not agree to it.",
        "The offer was not sent by text message: no address is known that could be used.",
    ]


async def test_share_is_there_at_once_and_gone_with_the_code(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    code = await make_referrer(context, brand, shop)
    async with context.sessions() as session:
        share = await find_share(
            session, "https://nps.example", brand, await owner_of(context, code), now=NOW
        )
    assert share is not None
    assert share.share_url.startswith("https://nps.example/r/")
    assert share.share_text.startswith("Ad: I get €10 if you order. 10% off at ")
    assert share.share_url in share.share_text
    assert share.code == code.display
    async with context.sessions.begin() as session:
        await disable_code(session, brand, code.display.lower(), now=NOW, actor=cli_actor(brand.id))
    async with context.sessions() as session:
        assert (
            await find_share(session, "https://nps.example", brand, await owner_of(context, code), now=NOW)
            is None
        )
    [message] = await messages(context, brand)
    assert message.status == "cancelled"
    async with context.sessions.begin() as session:
        with pytest.raises(AppError):
            await disable_code(session, brand, "NOSUCHCODE", now=NOW, actor=cli_actor(brand.id))


@pytest.mark.parametrize("drawn", ["new_slug", "random_code"])
async def test_a_slug_or_code_that_exists_is_drawn_again(
    context: AppContext, brand: Brand, shop: Shop, monkeypatch: pytest.MonkeyPatch, drawn: str
) -> None:
    first = await make_referrer(context, brand, shop)
    async with context.sessions() as session:
        taken = {"new_slug": await session.scalar(select(Referrer.slug)), "random_code": first.code}[drawn]
    draws = iter([taken, taken])
    module = {"new_slug": new_codes, "random_code": code_drafts}[drawn]
    fresh = getattr(module, drawn)
    monkeypatch.setattr(module, drawn, lambda *given: next(draws, None) or fresh(*given))
    second = await make_referrer(context, brand, shop)
    assert next(draws, None) is None
    assert second.code != first.code
    assert (await count(context, Referrer, brand), await count(context, Code, brand)) == (2, 2)
    assert await publications(context, second) == [(shop.id, PublicationState.live, NOW)]
    assert await count(context, Message, brand) == 2


async def test_a_referrer_of_another_shop_keeps_it(context: AppContext, brand: Brand, shop: Shop) -> None:
    async with context.sessions.begin() as session:
        other, _ = await add_shop(
            session, context.tokens, brand, "other", name="Other", actor=cli_actor(brand.id)
        )
    code = await make_referrer(context, brand, shop)
    customer = await owner_of(context, code)
    async with context.sessions.begin() as session:
        await session.execute(update(Code).where(Code.id == code.id).values(disabled_at=NOW))
        in_force = await load_programme(session, brand.id)
        await issue_offers(
            session,
            context.tokens,
            brand,
            [NewReferrer(customer, other.id)],
            now=NOW,
            loaded=LoadedBrand(in_force, {other.id: other}),
        )
    async with context.sessions() as session:
        fresh = (await session.scalars(select(Code).where(Code.active))).one()
        assert await session.scalar(select(Referrer.shop_id)) == shop.id
    assert await publications(context, fresh) == [(shop.id, PublicationState.live, NOW)]
