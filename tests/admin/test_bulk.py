"""Friends' orders are decided many at once: those of a filter, in batches, each once."""

import asyncio
import re

import pytest
from sqlalchemy import func, select, update

from app.admin import bulk
from app.admin.bulk_models import BulkDecision
from app.admin.bulk_sweep import sweep
from app.admin.rules import BulkAction, Role, Scope
from app.base import clock
from app.base.actor import cli_actor
from app.base.audit import AuditEntry
from app.base.due import sweep_once
from app.base.errors import AppError
from app.base.ids import public_id
from app.insight.invariants import check
from app.orders.models import Order
from app.referrals.decide import undo_redemption
from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus
from tests.support.dashboard import browser_of, dashboard_app, sign_in_as
from tests.support.forms import send_form
from tests.support.keys import api_of


async def held_back(rows, session, count):
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id, max_uses=100)
    held = []
    for _ in range(count):
        one = await rows.redemption(code, RedemptionStatus.in_review)
        one.reason = "suspected_fraud"
        held.append(one.id)
    await session.commit()
    return code, held


async def statuses(context):
    async with context.sessions() as session:
        found = await session.execute(select(Redemption.status, func.count()).group_by(Redemption.status))
        return {row[0].value: row[1] for row in found}


async def test_many_are_approved_in_batches_and_the_end_names_those_left_out(
    context, brand, session, rows, monkeypatch
):
    monkeypatch.setattr(bulk, "BATCH", 2)
    _, held = await held_back(rows, session, 7)
    gone = select(Redemption.order_id).where(Redemption.id == held[3]).scalar_subquery()
    await session.execute(update(Order).where(Order.id == gone).values(refunded_wholly=True, refunded=7200))
    await session.commit()
    async with context.sessions.begin() as own:
        started = await bulk.start_bulk(
            own,
            context.tokens,
            brand,
            bulk.BulkQuestion(
                BulkAction.approve,
                {"status": "in_review", "reason": "suspected_fraud"},
                "all are neighbours",
                held[5],
            ),
            actor=cli_actor(brand.id),
            now=clock.now(),
        )
        assert (started.total, started.done, started.finished_at) == (6, 2, None)
    # A batch that breaks off is as if it had not begun.
    async with context.sessions() as own:
        assert await bulk.advance_bulk(own, context.tokens, brand, now=clock.now()) == 2
        await own.rollback()
    # A person decides about one meanwhile; two workers go on at once.
    async with context.sessions.begin() as own:
        await undo_redemption(
            own, brand, held[4], actor=cli_actor(brand.id), reason="rolled_back", now=clock.now()
        )
    await asyncio.gather(*(sweep_once(sweep(context), clock.now()) for _ in range(2)))
    async with context.sessions() as own:
        done = await own.get_one(BulkDecision, (brand.id, started.id))
        assert (done.done, done.left_out, done.reason) == (4, 1, None)
        assert [(each["redemption"], each["code"]) for each in done.problems] == [
            (public_id("red", held[3]), "order_undone")
        ]
        assert done.finished_at is not None
        entries = select(AuditEntry.subject_id).where(AuditEntry.action == "redemption_approved")
        assert sorted(await own.scalars(entries)) == [held[0], held[1], held[2], held[5]]
        broken = {each.name for each in await check(own, context.tokens)}
        assert not broken & {"credit_is_in_the_ledger", "rewards_are_posted", "only_approved_is_rewarded"}
    assert await statuses(context) == {"approved": 4, "in_review": 2, "reversed": 1}


async def test_a_filter_without_a_state_that_may_change_is_refused(context, brand, session, rows):
    await held_back(rows, session, 1)
    cases = (
        (BulkAction.approve, {}, None, "bad_filter"),
        (BulkAction.approve, {"status": "approved"}, None, "bad_filter"),
        (BulkAction.reject, {"status": "rejected"}, "why", "bad_filter"),
        (BulkAction.reject, {"status": "in_review"}, None, "reason_required"),
    )
    for action, texts, reason, code in cases:
        async with context.sessions() as own:
            with pytest.raises(AppError) as raised:
                await bulk.start_bulk(
                    own,
                    context.tokens,
                    brand,
                    bulk.BulkQuestion(action, texts, reason),
                    actor=cli_actor(brand.id),
                    now=clock.now(),
                )
        assert raised.value.code == code


async def test_a_marketer_rejects_a_filter_on_a_screen_and_a_key_approves_it_again(
    context, brand, session, rows
):
    code, held = await held_back(rows, session, 3)
    await session.execute(
        update(Redemption)
        .where(Redemption.id == held[0])
        .values(created_at=Redemption.created_at - func.make_interval(0, 0, 0, 9))
    )
    await session.commit()
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand, Role.marketer)
        text = (await client.get("/admin/orders?status=in_review")).text
        assert "for 9 days" in text
        (link,) = re.findall(r'href="(/admin/orders/bulk\?action=reject[^"]*)"', text)
        asked = f"{link}&code={code.display}".replace("&amp;", "&")
        text = (await client.get(asked)).text
        assert "Do not count 3 orders?" in text
        assert f"“To decide”, {code.display}." in text
        until = re.search(r'name="until" value="(red_\w+)"', text)[1]
        fields = {"action": "reject", "status": "in_review", "code": code.display, "until": until}
        no_reason = await send_form(client, asked, "/admin/orders/bulk", fields)
        assert "Say why they do not count." in (await client.get(no_reason.headers["location"])).text
        ended = await send_form(client, asked, "/admin/orders/bulk", fields | {"why": "one house"})
        text = (await client.get(ended.headers["location"])).text
        assert "3 orders do not count now." in text
        assert "None is like this any more" in (await client.get(asked)).text
        assert (await client.get("/admin/orders/bulk?action=x")).status_code == 303
        assert (await client.get("/admin/orders/bulk/blk_x")).status_code == 404
    assert await statuses(context) == {"rejected": 3}
    async with await api_of(context, brand, Scope.read, Scope.write) as api:
        body = {"action": "approve", "filter": {"status": "rejected", "from": "2000-01-01"}}
        seen = (await api.post("/redemptions/bulk/preview", json=body)).json()
        assert seen == {"count": 3, "until": public_id("red", held[2])}
        made = await api.post("/redemptions/bulk", json=body | {"until": seen["until"]})
        assert made.status_code == 202, made.text
        assert (made.json()["done"], made.json()["left_out"]) == (3, 0)
        shown = await api.get(f"/redemptions/bulk/{made.json()['id']}")
        assert shown.json()["finished_at"] is not None
        assert (await api.post("/redemptions/bulk", json=body)).json()["total"] == 0
    assert await statuses(context) == {"approved": 3}
