"""Who a shop speaks of: one customer a person, in batches, beside each other, again and again."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.add import add_brand, add_shop
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import latest_consent
from app.customers.find import find_customers
from app.customers.identify import identify
from app.customers.models import ConsentFact, Customer, CustomerReference
from app.customers.person import ConsentStatement, Person
from tests.support.constants import NOW

PHONE = "+491701234567"
OTHER_PHONE = "+491701234568"


async def identified(context: AppContext, brand: Brand, shop: Shop, *people: Person) -> list[UUID | None]:
    """The customers of these people, in a transaction of its own."""
    async with context.sessions.begin() as session:
        return await identify(session, brand, shop, people, now=NOW)


async def kept(session: AsyncSession, customer_id: UUID | None) -> Customer:
    """The customer as the database has them."""
    return (await session.execute(select(Customer).where(Customer.id == customer_id))).scalar_one()


async def how_many(session: AsyncSession) -> int:
    return (await session.execute(select(func.count()).select_from(Customer))).scalar_one()


@pytest.fixture
async def other_shop(context: AppContext, brand: Brand) -> Shop:
    async with context.sessions.begin() as session:
        shop, _ = await add_shop(
            session,
            context.tokens,
            brand,
            "acme-us",
            name="Acme US",
            currency="USD",
            locale="en-US",
            actor=cli_actor(brand.id),
        )
        return shop


async def test_email_in_any_case_is_one_customer(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    first, again = await identified(
        context, brand, shop, Person(email="Ann@Example.com"), Person(email=" ann@example.COM")
    )
    [later] = await identified(context, brand, shop, Person(email="ANN@EXAMPLE.COM"))
    assert first == again == later
    assert await how_many(session) == 1
    assert (await kept(session, first)).email == "ann@example.com"


async def test_aliases_are_separate_customers_with_one_key(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    ids = await identified(
        context, brand, shop, Person(email="a.nn+x@gmail.com"), Person(email="ann@googlemail.com")
    )
    rows = [await kept(session, customer_id) for customer_id in ids]
    assert [row.email for row in rows] == ["a.nn+x@gmail.com", "ann@googlemail.com"]
    assert {row.email_key for row in rows} == {"ann@gmail.com"}


async def test_a_person_without_any_identity_is_no_customer(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    people = [
        Person(),
        Person(first_name="Ann"),
        Person(email="none", phone="12", external_id=" "),
        Person(external_id="0"),
    ]
    assert await identified(context, brand, shop, *people) == [None] * 4
    assert await how_many(session) == 0
    assert await identified(context, brand, shop) == []


async def test_phone_number_alone_finds_the_oldest_customer_with_it(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [ann] = await identified(context, brand, shop, Person(email="ann@example.com", phone=PHONE))
    [bob] = await identified(context, brand, shop, Person(email="bob@example.com", phone=PHONE))
    [caller, stranger] = await identified(
        context, brand, shop, Person(phone="0170 1234567", country="DE"), Person(phone=OTHER_PHONE)
    )
    assert caller == ann != bob
    assert (await kept(session, stranger)).phone == OTHER_PHONE
    assert await identified(context, brand, shop, Person(phone=OTHER_PHONE)) == [stranger]


async def test_shops_id_alone_creates_and_finds_a_customer(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop, other_shop: Shop
) -> None:
    first, again = await identified(context, brand, shop, Person(external_id="c1"), Person(external_id="c1"))
    assert first == again
    assert await identified(context, brand, shop, Person(external_id="c1")) == [first]
    [elsewhere] = await identified(context, brand, other_shop, Person(external_id="c1"))
    assert elsewhere != first


async def test_customer_without_an_address_gets_a_later_one(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [bare] = await identified(context, brand, shop, Person(external_id="c1"))
    ids = await identified(
        context,
        brand,
        shop,
        Person(external_id="c1", email="Ann@gmail.com", phone=PHONE),
        Person(external_id="c1"),
    )
    assert ids == [bare, bare]
    row = await kept(session, bare)
    assert (row.email, row.email_key, row.phone) == ("ann@gmail.com", "ann@gmail.com", PHONE)


async def test_changed_address_is_another_customer_with_the_reference(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [old] = await identified(context, brand, shop, Person(external_id="c1", email="old@example.com"))
    [new] = await identified(context, brand, shop, Person(external_id="c1", email="new@example.com"))
    assert old != new
    assert await identified(
        context, brand, shop, Person(external_id="c1"), Person(email="old@example.com")
    ) == [
        new,
        old,
    ]


async def test_reference_without_an_address_moves_to_the_customer_with_the_address(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [bare] = await identified(context, brand, shop, Person(external_id="c1"))
    [ann] = await identified(context, brand, shop, Person(email="ann@example.com"))
    assert await identified(context, brand, shop, Person(external_id="c1", email="ann@example.com")) == [ann]
    assert await identified(context, brand, shop, Person(external_id="c1")) == [ann]
    assert bare != ann


async def test_known_id_wins_over_a_phone_number_of_another(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [ann] = await identified(context, brand, shop, Person(external_id="c1", email="ann@example.com"))
    [bob] = await identified(context, brand, shop, Person(email="bob@example.com", phone=PHONE))
    assert await identified(context, brand, shop, Person(external_id="c1", phone=PHONE)) == [ann]
    assert (await kept(session, ann)).phone == PHONE
    assert bob != ann


async def test_bare_id_with_a_known_number_is_the_customer_with_the_number(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [bare] = await identified(context, brand, shop, Person(external_id="c1"))
    [caller] = await identified(context, brand, shop, Person(phone=PHONE))
    assert await identified(
        context, brand, shop, Person(external_id="c1", phone=PHONE), Person(external_id="c1")
    ) == [caller, caller]
    assert bare != caller


async def test_newest_detail_counts_and_an_absent_one_changes_nothing(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    ann = Person(
        email="ann@example.com",
        first_name="Ann",
        last_name="Old",
        locale="de_DE",
        country="de",
        at=NOW - timedelta(days=1),
    )
    customer_id, _ = await identified(
        context, brand, shop, ann, Person(email="ann@example.com", last_name="New")
    )
    await identified(
        context,
        brand,
        shop,
        Person(email="ann@example.com", first_name="  ", locale="nonsense", country="Mars"),
    )
    row = await kept(session, customer_id)
    assert (row.first_name, row.last_name, row.locale, row.country) == ("Ann", "New", "de-DE", "DE")


async def test_a_time_zone_is_the_reported_one_else_guessed_from_the_country(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    people = [
        Person(email="a@example.com", time_zone="Asia/Tokyo", country="DE"),
        Person(email="b@example.com", time_zone="Mars/Base", country="AT"),
        Person(email="c@example.com", country="US"),
    ]
    ids = await identified(context, brand, shop, *people)
    assert [(await kept(session, each)).time_zone for each in ids] == ["Asia/Tokyo", "Europe/Vienna", None]
    await identified(
        context,
        brand,
        shop,
        Person(email="a@example.com", country="FR"),
        Person(email="b@example.com", country="FR"),
    )
    session.expire_all()
    assert [(await kept(session, each)).time_zone for each in ids] == ["Asia/Tokyo", "Europe/Paris", None]


async def test_text_that_cannot_be_stored_is_cleaned(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    odd = Person(
        email="ann@example.com", first_name="An\x00n\ud800", last_name="L" * 5000, external_id="c\x001"
    )
    [customer_id] = await identified(context, brand, shop, odd)
    row = await kept(session, customer_id)
    assert (row.first_name, len(row.last_name or "")) == ("An n", 100)
    assert await identified(context, brand, shop, Person(external_id="x" * 9000)) == [None]


async def test_a_number_with_consent_stays_until_another_one_has_consent(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    yes = ConsentStatement(given=True)
    [ann] = await identified(
        context, brand, shop, Person(email="ann@example.com", phone=PHONE, sms_consent=yes)
    )
    await identified(context, brand, shop, Person(email="ann@example.com", phone=OTHER_PHONE))
    assert (await kept(session, ann)).phone == PHONE
    await identified(
        context, brand, shop, Person(email="ann@example.com", phone=OTHER_PHONE, sms_consent=yes)
    )
    session.expire_all()
    assert (await kept(session, ann)).phone == OTHER_PHONE


async def test_number_without_consent_is_replaced_by_the_newest(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [ann] = await identified(context, brand, shop, Person(email="ann@example.com", phone=PHONE))
    await identified(context, brand, shop, Person(email="ann@example.com", phone=OTHER_PHONE))
    assert (await kept(session, ann)).phone == OTHER_PHONE


async def consents(session: AsyncSession) -> dict[Channel, bool]:
    """What counts of each channel about which something was stated."""
    counting = [latest_consent(channel).label(channel) for channel in Channel]
    row = (await session.execute(select(*counting).select_from(Customer))).one()
    return {channel: given for channel in Channel if (given := row._mapping[channel]) is not None}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
async def test_later_consent_counts_in_any_order_of_arrival(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop, together: bool, backwards: bool
) -> None:
    def word(hours: int, *, given: bool | None) -> Person:
        statement = ConsentStatement(given=given, at=NOW + timedelta(hours=hours))
        return Person(
            email="ann@example.com",
            email_consent=statement,
            sms_consent=ConsentStatement(given=not given, at=statement.at)
            if given is not None
            else statement,
        )

    words = [word(1, given=True), word(2, given=False), word(2, given=True), word(3, given=None)]
    words = words[::-1] if backwards else words
    batches: Sequence[Sequence[Person]] = [words] if together else [[each] for each in words]
    for batch in batches:
        await identified(context, brand, shop, *batch)
    # At hour 2 there are both for each channel: of two at one time the refusal counts.
    assert await consents(session) == {Channel.email: False, Channel.sms: False}


async def test_every_statement_is_kept_once_in_the_history(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    tick = Person(
        email="ann@example.com", email_consent=ConsentStatement(given=True, source="checkout", at=NOW)
    )
    refusal = Person(
        email="ann@example.com", email_consent=ConsentStatement(given=False, at=NOW + timedelta(days=1))
    )
    await identified(context, brand, shop, refusal)
    await identified(context, brand, shop, tick, tick)
    await identified(context, brand, shop, tick, refusal)
    facts = await session.execute(
        select(ConsentFact.given, ConsentFact.source, ConsentFact.at).order_by(ConsentFact.at)
    )
    assert [tuple(fact) for fact in facts] == [
        (True, "checkout", NOW),
        (False, None, NOW + timedelta(days=1)),
    ]
    assert await consents(session) == {Channel.email: False}


async def test_the_newest_detail_counts_in_any_order_of_arrival(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    yes = ConsentStatement(given=True)

    def stated(hours: int, email: str, **details: Any) -> Person:
        return Person(email=email, at=NOW + timedelta(hours=hours), **details)

    found = []
    for number, order in enumerate(permutations(range(4))):
        email = f"p{number}@example.com"
        statements = [
            stated(1, email, first_name="Anna", locale="de", phone=PHONE, sms_consent=yes, country="AT"),
            stated(2, email, first_name="Ann", shipping_country="FR", time_zone="Asia/Tokyo"),
            stated(3, email, last_name="Lee", first_name="N/A", phone=OTHER_PHONE, locale="fr"),
            stated(2, email, first_name="Anne", last_name="Li", shipping_country="IT"),
        ]
        for batch in (order[:2], order[2:3], order[3:]):
            [ann, *_] = await identified(context, brand, shop, *(statements[each] for each in batch))
        row = await kept(session, ann)
        found.append(
            (
                row.first_name,
                row.last_name,
                row.phone,
                row.locale,
                row.country,
                row.time_zone,
                row.country_own,
            )
        )
    assert set(found) == {("Anne", "Lee", PHONE, "fr", "AT", "Asia/Tokyo", True)}


async def test_where_parcels_went_counts_only_without_an_own_country(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    [ann] = await identified(
        context,
        brand,
        shop,
        Person(email="ann@example.com", shipping_country="FR", phone="01 23 45 67 89"),
    )
    row = await kept(session, ann)
    assert (row.country, row.time_zone, row.phone) == ("FR", "Europe/Paris", None)
    await identified(
        context,
        brand,
        shop,
        Person(email="ann@example.com", country="IE", at=NOW - timedelta(days=9)),
        Person(email="ann@example.com", shipping_country="FR"),
    )
    session.expire_all()
    row = await kept(session, ann)
    assert (row.country, row.time_zone) == ("IE", "Europe/Dublin")


async def test_a_national_number_is_read_in_the_persons_own_country_or_not_at_all(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    people = [
        Person(email="a@example.com", phone="044 55 1234 5678", country="MX"),
        Person(email="b@example.com", phone="0170 1234567"),
        Person(email="c@example.com", phone="0170 1234567", shipping_country="DE", locale="de-DE"),
        Person(email="d@example.com", phone="0170 1234567", country="DE"),
        Person(email="e@example.com", phone="0170 1234567", country="MX", phone_country="DE"),
    ]
    ids = await identified(context, brand, shop, *people)
    assert [(await kept(session, each)).phone for each in ids] == [None, None, None, PHONE, PHONE]


async def test_relay_and_no_reply_addresses_never_make_two_buyers_one(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    relay = "x1y2@marketplace.amazon.de"
    ids = await identified(
        context,
        brand,
        shop,
        Person(external_id="c1", email=relay, first_name="Guest"),
        Person(external_id="c2", email=relay, phone=PHONE),
        Person(email="no-reply@example.com"),
    )
    assert ids[0] != ids[1]
    assert ids[2] is None
    row = await kept(session, ids[0])
    assert (row.email, row.first_name) == (None, None)


async def test_consent_without_a_time_counts_from_now(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    old = ConsentStatement(given=False, at=NOW - timedelta(days=1))
    await identified(context, brand, shop, Person(email="ann@example.com", email_consent=old))
    await identified(
        context, brand, shop, Person(email="ann@example.com", email_consent=ConsentStatement(given=True))
    )
    await identified(context, brand, shop, Person(email="ann@example.com", email_consent=old))
    assert await consents(session) == {Channel.email: True}


async def test_customers_are_found_by_address_number_and_id(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    people = [
        Person(external_id="c1", email="ann@example.com"),
        Person(phone=PHONE),
        Person(email="bob@example.com"),
    ]
    ann, caller, _ = await identified(context, brand, shop, *people)
    assert await find_customers(session, brand.id, email=" ANN@example.com") == [ann]
    assert await find_customers(
        session, brand.id, phone="+49 170 1234567", shop_id=shop.id, external_id="c1"
    ) == [ann, caller]
    assert await find_customers(session, brand.id + 1, email="ann@example.com") == []
    assert await find_customers(session, brand.id, email="nonsense", phone="12") == []


async def test_brands_share_no_customers(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    async with context.sessions.begin() as other:
        rival = await add_brand(other, "rival", name="Rival")
        rivals, _ = await add_shop(
            other, context.tokens, rival, "rival", name="Rival", actor=cli_actor(rival.id)
        )
    person = Person(external_id="c1", email="ann@example.com", phone=PHONE)
    [ours] = await identified(context, brand, shop, person)
    [theirs] = await identified(context, rival, rivals, person)
    assert ours != theirs


async def test_five_hundred_people_take_few_queries(context: AppContext, brand: Brand, shop: Shop) -> None:
    people = [
        Person(
            external_id=f"c{number}",
            email=f"p{number}@example.com",
            phone=PHONE,
            first_name=f"P{number}",
            email_consent=ConsentStatement(given=True),
        )
        for number in range(500)
    ]
    statements: list[str] = []
    event.listen(
        context.engine.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )
    ids = await identified(context, brand, shop, *people)
    assert len(set(ids)) == 500
    made = len(statements)
    assert await identified(context, brand, shop, *people) == ids
    assert made <= 8
    assert len(statements) - made <= 4


async def test_concurrent_batches_create_one_customer_per_person(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    people = [
        *(
            Person(
                external_id=f"m{n}",
                email=f"m{n}@example.com",
                first_name="M",
                email_consent=ConsentStatement(given=True),
            )
            for n in range(40)
        ),
        *(Person(phone=f"+4917012345{n:02}") for n in range(20)),
        *(Person(external_id=f"b{n}") for n in range(20)),
    ]

    async def batch(turn: int) -> list[UUID | None]:
        order = people[turn * 11 :] + people[: turn * 11]
        if turn % 2:
            order = order[::-1]
        found = dict(zip(order, await identified(context, brand, shop, *order), strict=True))
        return [found[person] for person in people]

    first, *others = await asyncio.gather(*(batch(turn) for turn in range(7)))
    assert all(other == first for other in others)
    assert None not in first
    assert len(set(first)) == len(people) == await how_many(session)
    references = (await session.execute(select(func.count()).select_from(CustomerReference))).scalar_one()
    assert references == 60


async def test_concurrent_batches_with_an_address_for_one_customer_agree(
    context: AppContext, session: AsyncSession, brand: Brand, shop: Shop
) -> None:
    for number in range(10):
        [bare] = await identified(context, brand, shop, Person(external_id=f"c{number}"))
        email = f"p{number}@example.com"
        answers = await asyncio.gather(
            identified(context, brand, shop, Person(external_id=f"c{number}", email=email)),
            identified(context, brand, shop, Person(email=email)),
            identified(context, brand, shop, Person(external_id=f"c{number}", email=email, first_name="Ann")),
        )
        ids = {customer_id for answer in answers for customer_id in answer}
        assert len(ids) == 1
        found = (
            await session.execute(select(func.count()).select_from(Customer).where(Customer.email == email))
        ).scalar_one()
        assert found == 1
        assert await identified(context, brand, shop, Person(external_id=f"c{number}")) == list(ids)
        assert bare is not None
