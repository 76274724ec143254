"""Who may be reached now, what stops it for good, and being forgotten."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.web import Ground
from app.brands.add import add_brand
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import reach, suppress
from app.customers.contact import ConsentSaid, Person
from app.customers.erase import erase_customer
from app.customers.export import export_customer
from app.customers.identify import identify
from app.customers.models import Consent, Customer, CustomerReference, Suppression
from app.customers.rules import Reach, SuppressionReason, Unreachable
from tests.conftest import NOW

PHONE = "+491701234567"
YES = ConsentSaid(given=True)
NO = ConsentSaid(given=False)
ANN = Person(external_id="c1", email="ann@example.com", phone=PHONE, first_name="Ann", country="AT", locale="de", sms_consent=YES)


async def known(ground: Ground, brand: Brand, shop: Shop, *people: Person) -> list[UUID]:
    async with ground.sessions.begin() as session:
        return [each for each in await identify(session, brand, shop, people, now=NOW) if each]


async def reached(ground: Ground, brand: Brand, *ids: UUID) -> dict[UUID, Reach]:
    async with ground.sessions() as session:
        return await reach(session, ground.tokens, brand, ids)


async def stopped(ground: Ground, brand: Brand, channel: Channel, reason: SuppressionReason, *addresses: str) -> None:
    async with ground.sessions.begin() as session:
        await suppress(session, ground.tokens, brand.id, channel, addresses, reason, now=NOW)


async def test_a_customer_is_reached_by_what_they_gave_and_allowed(ground: Ground, brand: Brand, shop: Shop) -> None:
    [ann, bob] = await known(ground, brand, shop, ANN, Person(email="bob@example.com"))
    found = await reached(ground, brand, ann, bob)
    assert found[ann] == Reach(
        ann, {Channel.email: "ann@example.com", Channel.sms: PHONE}, {}, "Ann", None, "de", "Europe/Vienna", "AT"
    )
    assert (found[bob].addresses, found[bob].refusals) == (
        {Channel.email: "bob@example.com"},
        {Channel.sms: Unreachable.no_address},
    )


@pytest.mark.parametrize(
    ("country", "said", "refused"),
    [("DE", None, True), ("DE", True, False), ("FR", None, False), ("FR", False, True), (None, None, False)],
)
async def test_silence_is_answered_by_the_brands_basis(
    ground: Ground, brand: Brand, shop: Shop, country: str | None, said: bool | None, refused: bool
) -> None:
    [ann] = await known(
        ground, brand, shop, Person(email="ann@example.com", country=country, email_consent=ConsentSaid(given=said))
    )
    assert ((await reached(ground, brand, ann))[ann].refusals.get(Channel.email) is Unreachable.no_consent) is refused


async def test_a_brand_may_have_its_own_basis(ground: Ground, brand: Brand, shop: Shop) -> None:
    [ann] = await known(ground, brand, shop, Person(email="ann@example.com", country="DE"))
    brand.countries = {"DE": {"email_basis": "existing_customer"}}
    assert (await reached(ground, brand, ann))[ann].addresses == {Channel.email: "ann@example.com"}


async def test_a_suppressed_address_gets_nothing_and_no_order_lifts_it(ground: Ground, brand: Brand, shop: Shop) -> None:
    [ann] = await known(ground, brand, shop, ANN)
    await stopped(ground, brand, Channel.email, SuppressionReason.unsubscribed, "Ann@Example.com ")
    await stopped(ground, brand, Channel.sms, SuppressionReason.stopped, PHONE)
    await known(ground, brand, shop, Person(email="ann@example.com", email_consent=YES, sms_consent=YES))
    found = (await reached(ground, brand, ann))[ann]
    assert found.addresses == {}
    assert found.refusals == {Channel.email: Unreachable.unsubscribed, Channel.sms: Unreachable.unsubscribed}


async def test_a_bounced_address_is_none(ground: Ground, brand: Brand, shop: Shop) -> None:
    [ann] = await known(ground, brand, shop, ANN)
    await stopped(ground, brand, Channel.email, SuppressionReason.bounced, "ann@example.com")
    found = (await reached(ground, brand, ann))[ann]
    assert (found.addresses, found.refusals) == ({Channel.sms: PHONE}, {Channel.email: Unreachable.no_address})


async def test_a_suppression_holds_for_its_brand_and_channel_alone(ground: Ground, brand: Brand, shop: Shop) -> None:
    [ann] = await known(ground, brand, shop, ANN)
    async with ground.sessions.begin() as session:
        rival = await add_brand(session, "rival", name="Rival")
    await stopped(ground, rival, Channel.email, SuppressionReason.unsubscribed, "ann@example.com")
    await stopped(ground, brand, Channel.sms, SuppressionReason.stopped, "ann@example.com")
    assert (await reached(ground, brand, ann))[ann].refusals == {}
    assert await reached(ground, rival, ann) == {}


async def test_the_first_reason_stays_also_under_many_at_once(
    ground: Ground, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    await stopped(ground, brand, Channel.email, SuppressionReason.complained, "p1@example.com")
    addresses = [f"p{number}@example.com" for number in range(50)]
    await asyncio.gather(
        *(
            stopped(ground, brand, Channel.email, SuppressionReason.unsubscribed, *addresses[:: 1 if turn % 2 else -1])
            for turn in range(6)
        )
    )
    await stopped(ground, brand, Channel.email, SuppressionReason.unsubscribed)
    reasons = list(await session.scalars(select(Suppression.reason)))
    assert len(reasons) == 50
    assert reasons.count(SuppressionReason.complained) == 1


async def test_a_thousand_customers_are_reached_in_three_queries(ground: Ground, brand: Brand, shop: Shop) -> None:
    ids = await known(ground, brand, shop, *(Person(email=f"p{number}@example.com") for number in range(1000)))
    statements: list[str] = []
    event.listen(ground.engine.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert len(await reached(ground, brand, *ids)) == 1000
    assert len(statements) <= 3
    assert await reached(ground, brand) == {}


async def test_who_is_erased_leaves_a_row_without_a_name_and_is_never_written_to(
    ground: Ground, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [ann, bob] = await known(ground, brand, shop, ANN, Person(email="bob@example.com", email_consent=YES))
    for turn in range(2):
        async with ground.sessions.begin() as own:
            await erase_customer(own, ground.tokens, brand.id, [ann], now=NOW + timedelta(days=turn))
    row = (await session.execute(select(Customer).where(Customer.id == ann))).scalar_one()
    assert (row.email, row.email_key, row.phone, row.first_name, row.locale, row.country) == (None,) * 6
    assert row.erased_at == NOW
    for table in (CustomerReference, Consent):
        left = (await session.execute(select(func.count()).select_from(table).where(table.customer_id == ann))).scalar_one()
        assert left == 0
    found = await reached(ground, brand, ann, bob)
    assert found[ann].refusals == {Channel.email: Unreachable.no_address, Channel.sms: Unreachable.no_address}
    assert found[bob].refusals == {Channel.sms: Unreachable.no_address}

    [late] = await known(ground, brand, shop, ANN)
    assert late != ann
    assert (await reached(ground, brand, late))[late].refusals == {
        Channel.email: Unreachable.unsubscribed,
        Channel.sms: Unreachable.unsubscribed,
    }


async def test_another_brands_customer_cannot_be_erased_or_exported(
    ground: Ground, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [ann] = await known(ground, brand, shop, ANN)
    async with ground.sessions.begin() as own:
        rival = await add_brand(own, "rival", name="Rival")
        await erase_customer(own, ground.tokens, rival.id, [ann], now=NOW)
        await erase_customer(own, ground.tokens, rival.id, [], now=NOW)
    assert (await reached(ground, brand, ann))[ann].first_name == "Ann"
    assert await export_customer(session, ground.tokens, rival.id, ann) == {}


async def test_a_person_gets_all_this_room_holds_of_them(ground: Ground, session: AsyncSession, brand: Brand, shop: Shop) -> None:
    [ann] = await known(ground, brand, shop, ANN)
    await stopped(ground, brand, Channel.email, SuppressionReason.unsubscribed, "ann@example.com")
    exported = await export_customer(session, ground.tokens, brand.id, ann)
    assert (exported["email"], exported["phone"], exported["first_name"]) == ("ann@example.com", PHONE, "Ann")
    assert exported["references"] == [{"shop": "acme", "external_id": "c1"}]
    assert [(each["channel"], each["given"], each["at"]) for each in exported["consents"]] == [("sms", True, NOW.isoformat())]
    assert exported["suppressions"] == [{"channel": "email", "reason": "unsubscribed", "at": NOW.isoformat()}]
