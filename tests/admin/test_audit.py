"""The audit log: who changed what, and what an erasure leaves of it."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.admin.api import router
from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base.actor import Actor, ActorKind, cli_actor
from app.base.audit import AuditAction, AuditEntry, AuditValue, record_action
from app.base.ids import new_id, public_id
from app.base.web.problems import install_problems
from app.ingest.erase import PersonToErase, erase_people
from app.referrals.rules import RedemptionStatus
from tests.support.insight_rows import START, Rows


@pytest.fixture
async def open_client(context, brand):
    app = FastAPI()
    app.state.context = context
    install_problems(app)
    app.include_router(router)
    opened = []

    async def make(*scopes):
        async with context.sessions.begin() as session:
            key = await add_key(session, brand.id, scopes, actor=cli_actor(brand.id))
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url="http://test/api/v1",
            headers={"Authorization": f"Bearer {key}"},
        )
        opened.append(client)
        return client

    yield make
    for client in opened:
        await client.aclose()


async def test_changes_by_a_key_are_listed_with_their_values(open_client, shop):
    admin = await open_client(Scope.admin, Scope.pii)
    await admin.patch("/brand", json={"name": "Acme & Co"})
    await admin.patch("/shops/acme", json={"url": "https://acme.example"})
    await admin.put("/programme", json={"survey": {"delay_hours": 5}})
    entries = (await admin.get("/audit")).json()["data"]
    programme, changed_shop, changed_brand, added_key = entries
    assert [each["action"] for each in entries] == [
        "programme_changed",
        "shop_changed",
        "brand_changed",
        "key_added",
    ]
    assert changed_brand["changes"] == {"name": {"before": "Acme Goods", "after": "Acme & Co"}}
    assert changed_shop["subject"] == public_id("shp", shop.id)
    assert programme["fields_changed"] == ["survey"]
    assert (added_key["actor"], added_key["actor_kind"]) == ("cli", "cli")
    assert changed_brand["actor"] == added_key["subject"]


async def test_the_log_needs_the_scope_admin_and_its_values_need_pii(open_client, shop):
    reader = await open_client(Scope.read, Scope.write)
    assert (await reader.get("/audit")).json()["code"] == "missing_scope"
    admin = await open_client(Scope.admin)
    await admin.patch("/brand", json={"name": "New"})
    (entry, *_rest) = (await admin.get("/audit", params={"action": "brand_changed"})).json()["data"]
    assert (entry["fields_changed"], entry["changes"]) == (["name"], None)


async def test_an_erasure_deletes_values_and_keeps_entries(context, session, brand, shop, open_client):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    redemption = await rows.redemption(code, RedemptionStatus.in_review)
    await session.commit()
    writer = await open_client(Scope.write)
    path = f"/redemptions/{public_id('red', redemption.id)}/reject"
    assert (await writer.post(path, json={"reason": "Same flat as Ana Ito"})).status_code == 200
    assert await session.scalar(select(AuditValue.after).where(AuditValue.field == "reason"))
    await session.commit()
    await erase_people(
        session,
        context.tokens,
        brand,
        {shop.id: shop},
        [PersonToErase(frozenset({happy.customer_id}))],
        actor=cli_actor(brand.id),
        now=START,
    )
    await session.commit()
    assert await session.scalar(select(AuditValue.after).where(AuditValue.field == "reason")) is None
    entry = await session.scalar(
        select(AuditEntry).where(AuditEntry.action == AuditAction.redemption_rejected)
    )
    assert entry.subject_id == redemption.id


@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET action = 'x'", "DELETE FROM audit_entries"])
async def test_an_entry_cannot_be_changed_or_deleted(session, brand, statement):
    await record_action(session, cli_actor(brand.id), AuditAction.code_disabled, ("cod", new_id()))
    with pytest.raises(DBAPIError, match="append-only"):
        await session.execute(text(statement))


async def test_the_machines_own_acts_are_not_audited(session, brand):
    for kind in (ActorKind.worker, ActorKind.customer, ActorKind.platform):
        await record_action(session, Actor(kind, brand.id), AuditAction.code_disabled, ("cod", new_id()))
    assert (await session.scalars(select(AuditEntry))).all() == []
