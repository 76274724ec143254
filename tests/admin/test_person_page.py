"""A person's page: their time line, what stands beside it, export and erasure."""

from datetime import timedelta

from sqlalchemy import select

from app.admin.rules import Role
from app.admin.views.person import Show, happenings
from app.base.audit import AuditEntry
from app.base.ids import public_id
from app.brands.programme import Channel
from app.customers.models import ConsentFact, Customer
from app.insight.schemas import TimelineEntry
from app.referrals.rules import RedemptionStatus
from app.surveys.rules import SurveyStatus
from tests.support.dashboard import sign_in_as
from tests.support.factories.rows import START
from tests.support.forms import send_form


def entry(kind, minutes, **said):
    return TimelineEntry(at=START + timedelta(minutes=minutes), kind=kind, text=f"{kind} {minutes}", **said)


def test_machines_reports_are_below_their_message_and_openings_of_a_link_are_one():
    entries = [
        entry("order", 0, order="ord_1"),
        entry("message_delivered", 1, message="msg_1"),
        entry("attempt", 2, message="msg_1"),
        entry("provider_delivered", 3, message="msg_1"),
        entry("visit", 4),
        entry("visit", 5),
        entry("response", 6, score=10),
        entry("visit", 7),
        entry("survey_skipped", 8),
        entry("attempt", 9, message="msg_of_nobody"),
    ]
    shown = happenings(entries)
    assert [(it.kind, it.title) for it in shown] == [
        ("not", "survey_skipped 8"),
        ("", "visit 7"),
        ("key", "response 6"),
        ("", "Friends opened their share link 2 times."),
        ("", "message_delivered 1"),
        ("key", "order 0"),
    ]
    assert [step.kind for step in shown[4].steps] == ["attempt", "provider_delivered"]
    assert [it.title for it in happenings(entries, Show.unsent)] == ["survey_skipped 8"]
    assert [it.title for it in happenings(entries, Show.orders)] == ["order 0"]
    assert len(happenings(entries, Show.messages)) == 2


async def test_a_referrer_is_shown_with_codes_friends_orders_and_what_was_not_sent(
    context, brand, session, rows, client
):
    happy = await rows.answer(10, comment="Lovely")
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.redemption(code, RedemptionStatus.approved)
    person = await session.get(Customer, (brand.id, happy.customer_id))
    await rows.survey(await rows.order(person, number="#77"), SurveyStatus.skipped)
    session.add(
        ConsentFact(
            brand_id=brand.id,
            customer_id=person.id,
            channel=Channel.sms,
            given=False,
            at=START,
            source="shop",
        )
    )
    await session.commit()
    await sign_in_as(client, context, brand)
    path = f"/admin/customers/{public_id('cus', person.id)}"
    text = (await client.get(path)).text
    lead = text.split("</h1>")[1].split("</p>")[0]
    assert "Answered 10, a promoter, brought one friend’s order worth €72" in lead
    assert code.display in text
    assert "1 of 10 uses" in text or "0 of 10 uses" in text
    assert "The survey about order #77 is not sent: they did not agree to be surveyed." in text
    assert 'class="not"' in text
    unsent = (await client.get(f"{path}?show=unsent")).text
    assert "is not sent" in unsent
    assert "Lovely" not in unsent
    await sign_in_as(client, context, brand, Role.viewer)
    masked = (await client.get(path)).text
    assert person.email not in masked
    assert "Erase" not in masked
    assert "Export their data" not in masked


async def test_administrators_export_and_erase_a_person_after_a_question(
    context, brand, session, rows, client
):
    items = [{"sku": "MUG", "title": "Mug", "quantity": 1, "unit_price": 8000, "product": None}]
    happy = await rows.answer(10, comment="Lovely", order={"items": items})
    person = public_id("cus", happy.customer_id)
    await session.commit()
    path = f"/admin/customers/{person}"
    await sign_in_as(client, context, brand, Role.marketer)
    for part in ("export", "erase"):
        assert (await client.get(f"{path}/{part}")).status_code == 403
    assert (await send_form(client, path, f"{path}/erase")).status_code == 403
    await sign_in_as(client, context, brand, Role.admin)
    whole = await client.get(f"{path}/export")
    assert whole.headers["content-disposition"] == f'attachment; filename="{person}.json"'
    entry = (await session.scalars(select(AuditEntry).where(AuditEntry.action == "exported"))).one()
    assert entry.subject_id == happy.customer_id
    assert whole.json()["customers"][0]["responses"][0]["comment"] == "Lovely"
    assert "cannot be brought back" in (await client.get(f"{path}/erase")).text
    erased = await send_form(client, f"{path}/erase", f"{path}/erase")
    assert erased.headers["location"] == path
    after = (await client.get(path)).text
    assert "Erased. Amounts and scores stay without a name." in after
    assert "Their personal data was erased" in after
    assert "Lovely" not in after
    assert "Erase…" not in after
