"""Violations in shops, orders, surveys, messages and deliveries."""

from app.base.ids import public_id
from app.ingest.models import Delivery, DeliveryFetch
from app.ingest.rules import DeliveryStatus
from app.messaging.models import Attempt
from app.messaging.rules import AttemptStatus
from app.surveys.rules import SurveyStatus
from tests.support.factories.rows import START
from tests.support.violations.sound import Sound, breaks


@breaks("order_has_survey")
async def an_order_without_a_survey(sound: Sound) -> str:
    return public_id("ord", (await sound.rows.order(None)).id)


@breaks("one_survey_per_cause")
async def two_surveys_about_one_order(sound: Sound) -> str:
    order = await sound.rows.order(await sound.rows.customer())
    survey = await sound.rows.survey(order, SurveyStatus.planned)
    await sound.without("surveys", "uq_surveys_brand_id_cause_id_cause_kind")
    await sound.copy("surveys", survey.id)
    return public_id("sur", survey.id)


@breaks("sent_survey_was_accepted")
async def a_sent_survey_without_a_message(sound: Sound) -> str:
    order = await sound.rows.order(await sound.rows.customer())
    return public_id("sur", (await sound.rows.survey(order)).id)


@breaks("skip_has_reason")
async def a_skipped_survey_without_a_reason(sound: Sound) -> str:
    order = await sound.rows.order(await sound.rows.customer())
    survey = await sound.rows.survey(order, SurveyStatus.skipped)
    await sound.without("surveys", "ck_surveys_skip_has_reason")
    await sound.sql("UPDATE surveys SET reason = NULL WHERE id = :id", id=survey.id)
    return public_id("sur", survey.id)


@breaks("survey_is_of_its_order")
async def a_survey_of_somebody_elses_order(sound: Sound) -> str:
    order = await sound.rows.order(await sound.rows.customer())
    survey = await sound.rows.survey(order, SurveyStatus.planned)
    other = await sound.rows.customer()
    await sound.sql("UPDATE surveys SET customer_id = :other WHERE id = :id", other=other.id, id=survey.id)
    return public_id("sur", survey.id)


@breaks("trial_is_marked")
async def a_survey_that_is_not_marked_as_its_order_is(sound: Sound) -> str:
    order = await sound.rows.order(await sound.rows.customer(), trial=True)
    return public_id("sur", (await sound.rows.survey(order, SurveyStatus.planned)).id)


@breaks("trial_is_marked")
async def a_response_that_is_not_marked_as_its_survey_is(sound: Sound) -> str:
    await sound.sql("UPDATE responses SET trial = true WHERE id = :id", id=sound.response.id)
    return public_id("sur", sound.response.survey_id)


@breaks("history_is_never_surveyed")
async def a_message_about_an_imported_order(sound: Sound) -> str:
    return public_id("sur", (await sound.sent_message(history=True)).subject_id)


@breaks("history_is_never_surveyed")
async def a_message_about_a_test_order(sound: Sound) -> str:
    return public_id("sur", (await sound.sent_message(test=True)).subject_id)


@breaks("response_to_a_sent_survey")
async def a_response_to_an_unanswered_survey(sound: Sound) -> str:
    await sound.sql("UPDATE surveys SET status = 'expired' WHERE id = :id", id=sound.response.survey_id)
    return public_id("rsp", sound.response.id)


@breaks("one_response_per_survey")
async def two_responses_to_one_survey(sound: Sound) -> str:
    await sound.without("responses", "uq_responses_brand_id_survey_id")
    await sound.copy("responses", sound.response.id)
    return public_id("sur", sound.response.survey_id)


@breaks("sent_has_attempt")
async def a_message_sent_without_an_attempt(sound: Sound) -> str:
    message = await sound.sent_message()
    await sound.sql("DELETE FROM attempts WHERE message_id = :id", id=message.id)
    await sound.sql("UPDATE messages SET attempts = 0 WHERE id = :id", id=message.id)
    return public_id("msg", message.id)


async def _second_attempt(sound: Sound, status: AttemptStatus, *, counted: int) -> str:
    message = await sound.sent_message()
    sound.session.add(
        Attempt(
            brand_id=message.brand_id,
            message_id=message.id,
            number=2,
            provider="outbox",
            status=status,
            started_at=START,
        )
    )
    message.attempts = counted
    await sound.session.flush()
    return public_id("msg", message.id)


@breaks("sent_once")
async def a_message_accepted_twice(sound: Sound) -> str:
    return await _second_attempt(sound, AttemptStatus.accepted, counted=2)


@breaks("attempts_are_counted")
async def an_attempt_that_is_not_counted(sound: Sound) -> str:
    return await _second_attempt(sound, AttemptStatus.refused, counted=1)


@breaks("unsent_was_never_sent")
async def a_cancelled_message_that_was_sent(sound: Sound) -> str:
    message = await sound.sent_message()
    await sound.sql("UPDATE messages SET status = 'cancelled' WHERE id = :id", id=message.id)
    return public_id("msg", message.id)


@breaks("order_status_is_its_facts")
async def a_status_without_its_fact(sound: Sound) -> str:
    await sound.sql("UPDATE orders SET status = 'delivered' WHERE id = :id", id=sound.response.order_id)
    return public_id("ord", sound.response.order_id)


@breaks("processed_has_time")
async def a_processed_delivery_without_a_time(sound: Sound) -> str:
    await sound.delivery(DeliveryStatus.processed, processed_at=START)
    return public_id("dlv", (await sound.delivery(DeliveryStatus.processed)).id)


@breaks("processed_has_time")
async def a_failed_delivery_without_a_reason(sound: Sound) -> str:
    await sound.delivery(DeliveryStatus.failed, processed_at=START, reason="It is no JSON.")
    return public_id("dlv", (await sound.delivery(DeliveryStatus.failed, processed_at=START)).id)


async def fetching(sound: Sound, *, due: bool) -> Delivery:
    """A delivery whose content is to be fetched; the fetch is due or never will be."""
    delivery = await sound.delivery(DeliveryStatus.fetching)
    sound.session.add(
        DeliveryFetch(
            brand_id=delivery.brand_id,
            delivery_id=delivery.id,
            resource="orders/1",
            due_at=START if due else None,
        )
    )
    await sound.session.flush()
    return delivery


@breaks("fetching_has_due_fetch")
async def a_fetch_that_is_never_due(sound: Sound) -> str:
    await fetching(sound, due=True)
    return public_id("dlv", (await fetching(sound, due=False)).id)


@breaks("fetching_has_due_fetch")
async def a_fetching_delivery_without_a_fetch(sound: Sound) -> str:
    return public_id("dlv", (await sound.delivery(DeliveryStatus.fetching)).id)


@breaks("slug_names_its_shop")
async def a_slug_of_no_shop(sound: Sound) -> str:
    await sound.sql("UPDATE shop_slugs SET slug = 'elsewhere' WHERE slug = 'acme'")
    return public_id("shp", sound.rows.shop.id)
