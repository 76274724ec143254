"""Violations of erasure: something personal is left of somebody who was erased."""

import pytest

from app.base.actor import cli_actor
from app.base.ids import new_id, public_id
from app.customers.models import Customer
from app.ingest.erase import PersonToErase, erase_people
from app.ingest.models import DeliveryCustomer
from app.ingest.rules import DeliveryStatus
from app.surveys.models import Response
from tests.support.factories.rows import START
from tests.support.violations.sound import CASES, Sound, breaks


async def erased_promoter(sound: Sound) -> Response:
    """Somebody who responded and got a code, erased, with no pass left to do."""
    response = await sound.rows.answer(10)
    await sound.rows.code(response.customer_id, response.survey_id)
    await erase(sound, response.customer_id)
    return response


async def erase(sound: Sound, customer_id: object) -> None:
    rows = sound.rows
    await erase_people(
        sound.session,
        sound.context.tokens,
        rows.brand,
        {rows.shop.id: rows.shop},
        [PersonToErase(frozenset({customer_id}))],
        actor=cli_actor(rows.brand.id),
        now=START,
    )
    await sound.sql("UPDATE erasures SET due_at = NULL, passes = 2")


_COLUMNS = ("email", "email_key", "phone", "first_name", "last_name", "locale", "time_zone", "country")


def _left_in(column: str):
    async def a_detail_is_left(sound: Sound) -> str:
        response = await erased_promoter(sound)
        await sound.sql(f"UPDATE customers SET {column} = 'x' WHERE id = :id", id=response.customer_id)
        return public_id("cus", response.customer_id)

    return a_detail_is_left


for _column in _COLUMNS:
    CASES.append(pytest.param("erased_has_no_details", set(), _left_in(_column), id=f"erased_{_column}"))


@breaks("erased_has_no_details")
async def a_shops_id_of_an_erased_person(sound: Sound) -> str:
    response = await erased_promoter(sound)
    await sound.sql(
        "INSERT INTO customer_references VALUES (:brand, :shop, 'c1', :id)",
        brand=sound.rows.brand.id,
        shop=sound.rows.shop.id,
        id=response.customer_id,
    )
    return public_id("cus", response.customer_id)


@breaks("erased_has_no_details")
async def a_former_id_of_an_erased_person(sound: Sound) -> str:
    response = await erased_promoter(sound)
    await sound.sql(
        "INSERT INTO former_references VALUES (:brand, :shop, 'c1', :id)",
        brand=sound.rows.brand.id,
        shop=sound.rows.shop.id,
        id=response.customer_id,
    )
    return public_id("cus", response.customer_id)


@breaks("erased_has_no_details")
async def a_consent_of_an_erased_person(sound: Sound) -> str:
    response = await erased_promoter(sound)
    await sound.sql(
        "INSERT INTO consent_facts (brand_id, customer_id, channel, given, at) "
        "VALUES (:brand, :id, 'email', true, now())",
        brand=sound.rows.brand.id,
        id=response.customer_id,
    )
    return public_id("cus", response.customer_id)


@breaks("erased_has_no_message_content")
async def an_address_of_a_message_to_an_erased_person(sound: Sound) -> str:
    response = await erased_promoter(sound)
    await sound.sql("UPDATE messages SET address = 'x' WHERE subject_id = :id", id=response.survey_id)
    message_id = await sound.value("SELECT id FROM messages WHERE subject_id = :id", id=response.survey_id)
    return public_id("msg", message_id)


@breaks("erased_has_no_comment")
async def a_comment_of_an_erased_person(sound: Sound) -> str:
    response = await erased_promoter(sound)
    await sound.sql("UPDATE responses SET comment = 'x' WHERE id = :id", id=response.id)
    return public_id("rsp", response.id)


@breaks("erased_has_no_notes")
async def a_tag_of_an_erased_persons_response(sound: Sound) -> str:
    response = await erased_promoter(sound)
    await sound.sql(
        "INSERT INTO response_tags (brand_id, response_id, key, name) VALUES (:brand_id, :id, 'x', 'x')",
        brand_id=response.brand_id,
        id=response.id,
    )
    return public_id("rsp", response.id)


@breaks("erased_has_no_order_details")
async def a_tag_of_an_erased_persons_order(sound: Sound) -> str:
    response = await erased_promoter(sound)
    await sound.sql("""UPDATE orders SET tags = '["x"]' WHERE id = :id""", id=response.order_id)
    return public_id("ord", response.order_id)


@breaks("erased_has_no_code")
async def a_code_of_an_erased_referrer(sound: Sound) -> str:
    response = await erased_promoter(sound)
    row = """FROM codes JOIN referrers ON referrers.id = codes.referrer_id WHERE customer_id = :id"""
    code_id = await sound.value(f"SELECT codes.id {row}", id=response.customer_id)
    await sound.sql("UPDATE codes SET display = 'ANA-7K4QX' WHERE id = :id", id=code_id)
    return public_id("cod", code_id)


@breaks("erased_has_no_code_in_a_shop")
async def a_code_of_an_erased_referrer_in_a_shop(sound: Sound) -> str:
    response = await erased_promoter(sound)
    row = """FROM codes JOIN referrers ON referrers.id = codes.referrer_id WHERE customer_id = :id"""
    code_id = await sound.value(f"SELECT codes.id {row}", id=response.customer_id)
    await sound.sql("UPDATE code_publications SET code = 'ANA-7K4QX' WHERE code_id = :id", id=code_id)
    return public_id("cod", code_id)


@breaks("erased_friend_is_hidden")
async def an_address_of_an_erased_friend(sound: Sound) -> str:
    await erase(sound, sound.approved.friend_id)
    await sound.sql("UPDATE redemptions SET friend_email_key = 'x' WHERE id = :id", id=sound.approved.id)
    return public_id("red", sound.approved.id)


@breaks("erased_has_no_raw_content")
async def a_raw_delivery_that_names_an_erased_person(sound: Sound) -> str:
    customer = Customer(brand_id=sound.rows.brand.id, id=new_id(), erased_at=START)
    sound.session.add(customer)
    delivery = await sound.delivery(DeliveryStatus.processed, processed_at=START)
    sound.session.add(
        DeliveryCustomer(brand_id=customer.brand_id, delivery_id=delivery.id, customer_id=customer.id)
    )
    await sound.session.flush()
    return public_id("dlv", delivery.id)
