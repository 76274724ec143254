"""How customers may be contacted, suppressions, and erasure."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.brands.add import add_brand
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import (
    countries_without_consent,
    lift_suppression,
    load_contact_options,
    suppress,
    suppressions_of,
)
from app.customers.erase import erase_customer
from app.customers.export import export_customer
from app.customers.identify import identify
from app.customers.models import ConsentFact, Customer, CustomerReference, Suppression
from app.customers.person import ConsentStatement, Person
from app.customers.rules import TRIAL_SOURCE, ContactOptions, NoContactReason, SuppressionReason
from tests.support.constants import NOW

PHONE = "+491701234567"
YES = ConsentStatement(given=True)
NO = ConsentStatement(given=False)
ANN = Person(
    external_id="c1",
    email="ann@example.com",
    phone=PHONE,
    first_name="Ann",
    country="AT",
    locale="de",
    sms_consent=YES,
)


async def known(context: AppContext, brand: Brand, shop: Shop, *people: Person) -> list[UUID]:
    async with context.sessions.begin() as session:
        return [each for each in await identify(session, brand, shop, people, now=NOW) if each]


async def reached(context: AppContext, brand: Brand, *ids: UUID) -> dict[UUID, ContactOptions]:
    async with context.sessions() as session:
        return await load_contact_options(session, context.tokens, brand, ids)


async def stopped(
    context: AppContext, brand: Brand, channel: Channel, reason: SuppressionReason, *addresses: str
) -> None:
    async with context.sessions.begin() as session:
        await suppress(session, context.tokens, brand.id, channel, addresses, reason, now=NOW)


async def test_customer_is_contacted_by_address_and_consent(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    [ann, bob] = await known(context, brand, shop, ANN, Person(email="bob@example.com"))
    found = await reached(context, brand, ann, bob)
    assert found[ann] == ContactOptions(
        ann,
        {Channel.email: "ann@example.com", Channel.sms: PHONE},
        {},
        "Ann",
        None,
        "de",
        "Europe/Vienna",
        "AT",
    )
    assert (found[bob].addresses, found[bob].refusals) == (
        {Channel.email: "bob@example.com"},
        {Channel.sms: NoContactReason.no_address},
    )


async def test_an_operators_trial_is_no_customers_consent(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    async def lacking() -> bool:
        async with context.sessions() as session:
            return "DE" in await countries_without_consent(session, brand.id)

    of_trial = ConsentStatement(given=True, source=TRIAL_SOURCE)
    await known(context, brand, shop, Person(email="me@example.com", email_consent=of_trial))
    assert await lacking(), "the shop still passes on nobody's consent"
    await known(context, brand, shop, Person(email="ann@example.com", email_consent=YES))
    assert not await lacking()


@pytest.mark.parametrize(
    ("country", "consent", "refused"),
    [("DE", None, True), ("DE", True, False), ("FR", None, False), ("FR", False, True), (None, None, False)],
)
async def test_without_a_consent_the_brands_basis_decides(
    context: AppContext, brand: Brand, shop: Shop, country: str | None, consent: bool | None, refused: bool
) -> None:
    [ann] = await known(
        context,
        brand,
        shop,
        Person(email="ann@example.com", country=country, email_consent=ConsentStatement(given=consent)),
    )
    assert (
        (await reached(context, brand, ann))[ann].refusals.get(Channel.email) is NoContactReason.no_consent
    ) is refused


async def test_brand_may_have_its_own_basis(context: AppContext, brand: Brand, shop: Shop) -> None:
    [ann] = await known(context, brand, shop, Person(email="ann@example.com", country="DE"))
    brand.countries = {"DE": {"email_basis": "existing_customer"}}
    assert (await reached(context, brand, ann))[ann].addresses == {Channel.email: "ann@example.com"}


async def test_suppressed_address_gets_nothing_and_no_order_lifts_it(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    [ann] = await known(context, brand, shop, ANN)
    await stopped(context, brand, Channel.email, SuppressionReason.unsubscribed, "Ann@Example.com ")
    await stopped(context, brand, Channel.sms, SuppressionReason.stopped, PHONE)
    await known(context, brand, shop, Person(email="ann@example.com", email_consent=YES, sms_consent=YES))
    found = (await reached(context, brand, ann))[ann]
    assert found.addresses == {}
    assert found.refusals == {
        Channel.email: NoContactReason.unsubscribed,
        Channel.sms: NoContactReason.unsubscribed,
    }


async def test_bounced_address_counts_as_none(context: AppContext, brand: Brand, shop: Shop) -> None:
    [ann] = await known(context, brand, shop, ANN)
    await stopped(context, brand, Channel.email, SuppressionReason.bounced, "ann@example.com")
    found = (await reached(context, brand, ann))[ann]
    assert (found.addresses, found.refusals) == (
        {Channel.sms: PHONE},
        {Channel.email: NoContactReason.no_address},
    )


async def test_suppression_holds_only_for_its_brand_and_channel(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    [ann] = await known(context, brand, shop, ANN)
    async with context.sessions.begin() as session:
        rival = await add_brand(session, "rival", name="Rival")
    await stopped(context, rival, Channel.email, SuppressionReason.unsubscribed, "ann@example.com")
    await stopped(context, brand, Channel.sms, SuppressionReason.stopped, "ann@example.com")
    assert (await reached(context, brand, ann))[ann].refusals == {}
    assert await reached(context, rival, ann) == {}


async def test_every_reason_holds_by_itself_and_only_their_own_decision_is_taken_back(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [ann] = await known(context, brand, shop, ANN)
    for reason in (SuppressionReason.unsubscribed, SuppressionReason.bounced):
        await stopped(context, brand, Channel.email, reason, "ann@example.com")
    found = (await reached(context, brand, ann))[ann]
    assert found.refusals == {Channel.email: NoContactReason.unsubscribed}
    async with context.sessions.begin() as own:
        for _ in range(2):
            await lift_suppression(
                own,
                context.tokens,
                brand.id,
                Channel.email,
                "Ann@example.com",
                SuppressionReason.unsubscribed,
                now=NOW,
            )
        with pytest.raises(ValueError, match="never lifted"):
            await lift_suppression(
                own,
                context.tokens,
                brand.id,
                Channel.email,
                "ann@example.com",
                SuppressionReason.bounced,
                now=NOW,
            )
    found = (await reached(context, brand, ann))[ann]
    assert found.refusals == {Channel.email: NoContactReason.no_address}
    history = await suppressions_of(session, context.tokens, brand.id, "ann@example.com", None)
    assert [(each.reason, each.lifted_at) for each in history] == [
        (SuppressionReason.unsubscribed, NOW),
        (SuppressionReason.bounced, None),
    ]


async def test_one_row_a_reason_stays_under_concurrent_calls(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    await stopped(context, brand, Channel.email, SuppressionReason.complained, "p1@example.com")
    addresses = [f"p{number}@example.com" for number in range(50)]
    await asyncio.gather(
        *(
            stopped(
                context,
                brand,
                Channel.email,
                SuppressionReason.unsubscribed,
                *addresses[:: 1 if turn % 2 else -1],
            )
            for turn in range(6)
        )
    )
    await stopped(context, brand, Channel.email, SuppressionReason.unsubscribed)
    reasons = list(await session.scalars(select(Suppression.reason)))
    assert len(reasons) == 51
    assert reasons.count(SuppressionReason.complained) == 1


async def test_contact_options_of_a_thousand_customers_take_two_queries(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    ids = await known(
        context, brand, shop, *(Person(email=f"p{number}@example.com") for number in range(1000))
    )
    statements: list[str] = []
    event.listen(
        context.engine.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )
    assert len(await reached(context, brand, *ids)) == 1000
    assert len(statements) <= 2
    assert await reached(context, brand) == {}


async def test_erased_customer_leaves_an_empty_row_and_is_never_written_to(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [ann, bob] = await known(context, brand, shop, ANN, Person(email="bob@example.com", email_consent=YES))
    for turn in range(2):
        async with context.sessions.begin() as own:
            await erase_customer(own, context.tokens, brand.id, [ann], now=NOW + timedelta(days=turn))
    row = (await session.execute(select(Customer).where(Customer.id == ann))).scalar_one()
    assert (row.email, row.email_key, row.phone, row.first_name, row.locale, row.country) == (None,) * 6
    assert row.erased_at == NOW
    for table in (CustomerReference, ConsentFact):
        left = (
            await session.execute(select(func.count()).select_from(table).where(table.customer_id == ann))
        ).scalar_one()
        assert left == 0
    found = await reached(context, brand, ann, bob)
    assert found[ann].refusals == {
        Channel.email: NoContactReason.no_address,
        Channel.sms: NoContactReason.no_address,
    }
    assert found[bob].refusals == {Channel.sms: NoContactReason.no_address}

    [late] = await known(context, brand, shop, ANN)
    assert late != ann
    assert (await reached(context, brand, late))[late].refusals == {
        Channel.email: NoContactReason.unsubscribed,
        Channel.sms: NoContactReason.unsubscribed,
    }


async def test_customer_of_another_brand_cannot_be_erased_or_exported(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [ann] = await known(context, brand, shop, ANN)
    async with context.sessions.begin() as own:
        rival = await add_brand(own, "rival", name="Rival")
        await erase_customer(own, context.tokens, rival.id, [ann], now=NOW)
        await erase_customer(own, context.tokens, rival.id, [], now=NOW)
    assert (await reached(context, brand, ann))[ann].first_name == "Ann"
    assert await export_customer(session, context.tokens, rival.id, ann) is None


async def test_a_person_gets_all_data_that_this_package_stores(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [ann] = await known(context, brand, shop, ANN)
    await stopped(context, brand, Channel.email, SuppressionReason.unsubscribed, "ann@example.com")
    customer = await export_customer(session, context.tokens, brand.id, ann)
    assert customer is not None
    exported = customer.model_dump(mode="json")
    shown_now = NOW.isoformat().replace("+00:00", "Z")
    assert (exported["email"], exported["phone"], exported["first_name"]) == ("ann@example.com", PHONE, "Ann")
    assert exported["references"] == [{"shop": "acme", "external_id": "c1"}]
    assert [(each["channel"], each["given"], each["at"]) for each in exported["consents"]] == [
        ("sms", True, shown_now)
    ]
    assert exported["suppressions"] == [
        {"channel": "email", "reason": "unsubscribed", "at": shown_now, "lifted_at": None}
    ]
