"""The weekly mail of figures: to whom, when, and what is in it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.admin.digest import send_due, sweep
from app.admin.digest_rules import next_due, number_of, week_before
from app.admin.models import Staff
from app.admin.rules import Role
from app.admin.staff import add_staff, remove_staff
from app.base.actor import cli_actor
from app.base.due import sweep_once
from app.brands.programme import Channel
from app.messaging.models import OutboxItem
from app.messaging.providers.outbox.client import Outbox
from app.messaging.send_sweeps import sweep as messages
from tests.support.apps import whole_app
from tests.support.dashboard import browser_of, sign_in_as
from tests.support.factories.rows import START, Rows
from tests.support.forms import send_form

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("day", "after", "due"),
    [
        (1, datetime(2026, 3, 8, 12, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),
        (1, datetime(2026, 3, 9, 6, 59, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),
        (1, datetime(2026, 3, 9, 7, tzinfo=UTC), datetime(2026, 3, 16, 7, tzinfo=UTC)),
        # The clocks go forward on 29 March.
        (1, datetime(2026, 3, 23, 7, tzinfo=UTC), datetime(2026, 3, 30, 6, tzinfo=UTC)),
        # Already Monday in Berlin.
        (1, datetime(2026, 3, 8, 23, 30, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),
        (7, datetime(2026, 3, 9, 7, tzinfo=UTC), datetime(2026, 3, 15, 7, tzinfo=UTC)),
    ],
)
def test_the_next_mail_is_due_on_the_chosen_day_in_the_brands_zone(day, after, due):
    assert next_due(day, BERLIN, after=after) == due


def test_a_mail_is_about_the_seven_days_before_it():
    due = datetime(2026, 3, 9, 7, tzinfo=UTC)
    assert week_before(due, BERLIN) == (date(2026, 3, 2), date(2026, 3, 8))
    numbers = [number_of(due + timedelta(days=days), BERLIN) for days in (0, 6, 7)]
    assert numbers == [numbers[0], numbers[0], numbers[0] + 1]


async def mails(context, now) -> list[OutboxItem]:
    await sweep_once(messages(context, dict.fromkeys(Channel, Outbox(context))), now)
    async with context.sessions() as session:
        return list(await session.scalars(select(OutboxItem).order_by(OutboxItem.to)))


async def test_each_person_gets_the_figures_that_they_may_see_once_a_week(context, session, brand, shop):
    rows = Rows(session, brand, shop)
    for score in (10, 9, 3):
        happy = await rows.answer(score, answered_at=START + timedelta(hours=1))
    code = await rows.code(happy.customer_id, happy.survey_id)
    await rows.redemption(code)
    people, actor = {}, cli_actor(brand.id)
    for name, shops in (("mia", None), ("lea", [shop.slug]), ("zoe", None)):
        people[name] = await add_staff(
            session, brand.id, f"{name}@example.com", Role.support, actor=actor, shops=shops
        )
    due = next_due(1, brand.time_zone, after=START)
    chosen = Staff.id.in_([people["mia"], people["lea"]])
    await session.execute(update(Staff).where(chosen).values(digest_day=1, digest_due_at=due))
    await session.commit()
    assert await sweep_once(sweep(context), due - timedelta(minutes=1)) == 0
    assert await sweep_once(sweep(context), due) == 2
    assert await sweep_once(sweep(context), due + timedelta(days=1)) == 0
    lea, mia = await mails(context, due)
    assert (lea.to, mia.to) == ("lea@example.com", "mia@example.com")
    assert mia.subject == "The week at Acme Goods, 2 March to 8 March 2026"
    for mail in (lea, mia):
        assert "too few to say (3 of 30)" in mail.text
        assert "One unhappy customer waits for a reply." in mail.text
    assert "NPS, from 3 answers: 33" in mia.text
    assert "Friends’ orders: 1 (1 approved)" in mia.text
    assert "Referred revenue: €72" in mia.text
    assert "NPS of your shops, from 3 answers: 33" in lea.text
    assert "revenue" not in lea.text
    async with context.sessions.begin() as other:
        await remove_staff(other, brand.id, people["mia"], actor=actor)
    assert [mail.to for mail in await mails(context, due)] == ["lea@example.com"]
    async with context.sessions.begin() as other:
        late = due + timedelta(days=10)
        assert await send_due(other, brand.id, now=late) == 1
        planned = await other.scalar(select(Staff.digest_due_at).where(Staff.id == people["lea"]))
    assert planned == due + timedelta(days=14)
    assert len(await mails(context, late)) == 1, "a mail that is days late is left out"


async def test_a_person_chooses_the_day_in_their_account(context, session, brand, shop):
    async with browser_of(whole_app(context)) as client:
        await sign_in_as(client, context, brand, Role.viewer)
        path = "/admin/account"
        assert '<option value="1">Monday' in (await client.get(path)).text
        await send_form(client, path, f"{path}/digest", {"day": "1"})
        assert '<option value="1" selected>Monday' in (await client.get(path)).text
        found = await session.scalar(select(Staff.digest_due_at).where(Staff.digest_day == 1))
        assert found is not None
        await send_form(client, path, f"{path}/digest", {"day": "8"})
        assert "selected" not in (await client.get(path)).text
