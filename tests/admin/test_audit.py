"""The audit log: who changed what, and what an erasure leaves of it."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.api.brand import BrandChange, ShopChange
from app.admin.rules import Role, Scope
from app.admin.staff import add_staff
from app.base.actor import Actor, ActorKind, cli_actor
from app.base.audit import AuditAction, AuditEntry, AuditValue, record_action
from app.base.ids import new_id, public_id
from app.base.tokens import Tokens
from app.brands.change import BrandFields, ShopFields, change_brand, change_shop
from app.brands.models import Brand
from app.checkout.parse import Rollback
from app.checkout.roll_back import roll_back
from app.ingest.erase import PersonToErase, erase_people
from app.referrals.decide import approve_redemption, reject_redemption
from app.referrals.disable import disable_code
from app.referrals.models import Code, Redemption
from app.referrals.rules import RedemptionStatus
from tests.support.factories.rows import START, Rows


async def test_changes_by_a_key_are_listed_with_their_values(open_client, brand, shop):
    admin = await open_client(brand, Scope.admin, Scope.pii)
    await admin.patch("/brand", json={"name": "Acme & Co"})
    await admin.patch("/shops/acme", json={"url": "https://www.acme.example"})
    await admin.put("/programme", json={"survey": {"delay_hours": 5}})
    entries = (await admin.get("/audit")).json()["data"]
    programme, changed_shop, changed_brand, added_key, added_shop, added_brand = entries
    assert [each["action"] for each in entries] == [
        "programme_changed",
        "shop_changed",
        "brand_changed",
        "key_added",
        "shop_added",
        "brand_added",
    ]
    assert changed_brand["changes"] == {"name": {"before": "Acme Goods", "after": "Acme & Co"}}
    assert changed_shop["subject"] == public_id("shp", shop.id)
    assert programme["fields_changed"] == ["survey"]
    assert (added_key["actor"], added_key["actor_kind"]) == ("cli", "cli")
    assert changed_brand["actor"] == added_key["subject"]
    assert (added_shop["subject"], added_shop["actor"]) == (public_id("shp", shop.id), "cli")
    assert added_shop["changes"]["currency"] == {"before": None, "after": "EUR"}
    assert added_brand["changes"]["name"] == {"before": None, "after": "Acme Goods"}
    await admin.patch("/brand", json={"name": "Acme & Co"})
    assert len((await admin.get("/audit")).json()["data"]) == len(entries), "nothing changed"


async def test_the_log_needs_the_scope_admin_and_its_values_need_pii(open_client, brand, shop):
    reader = await open_client(brand, Scope.read, Scope.write)
    assert (await reader.get("/audit")).json()["code"] == "missing_scope"
    admin = await open_client(brand, Scope.admin)
    await admin.patch("/brand", json={"name": "New"})
    (entry, *_rest) = (await admin.get("/audit", params={"action": "brand_changed"})).json()["data"]
    assert (entry["fields_changed"], entry["changes"]) == (["name"], None)


async def test_an_erasure_deletes_values_and_keeps_entries(context, session, brand, shop, open_client):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    redemption = await rows.redemption(code, RedemptionStatus.in_review)
    await session.commit()
    writer = await open_client(brand, Scope.write)
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


Work = Callable[[AsyncSession, Tokens, Brand, Code, Redemption, Actor], Awaitable[object]]
ON_SOMEBODYS_WORD: dict[AuditAction, Work] = {
    AuditAction.brand_changed: lambda session, _tokens, brand, _code, _redemption, actor: change_brand(
        session, brand.id, {"name": "New"}, actor=actor
    ),
    AuditAction.shop_changed: lambda session, _tokens, brand, _code, _redemption, actor: change_shop(
        session, brand.id, "acme", {"name": "New"}, actor=actor
    ),
    AuditAction.code_disabled: lambda session, _tokens, brand, code, _redemption, actor: disable_code(
        session, brand, code.code, actor=actor, now=START
    ),
    AuditAction.redemption_approved: lambda session, tokens, brand, _code, redemption, actor: (
        approve_redemption(session, tokens, brand, redemption.id, actor=actor, now=START)
    ),
    AuditAction.redemption_rejected: lambda session, _tokens, brand, _code, redemption, actor: (
        reject_redemption(session, brand, redemption.id, actor=actor, reason="odd", now=START)
    ),
    AuditAction.redemption_rolled_back: lambda session, _tokens, brand, _code, redemption, actor: roll_back(
        session, brand, redemption.id, Rollback("1.00", "odd"), actor=actor, key="k", now=START
    ),
}


@pytest.mark.parametrize("kind", [ActorKind.cli, ActorKind.staff, ActorKind.api_key])
@pytest.mark.parametrize("action", ON_SOMEBODYS_WORD)
async def test_whoever_calls_a_step_is_audited_alike(context, session, brand, shop, action, kind):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    redemption = await rows.redemption(code, RedemptionStatus.in_review)
    actor = Actor(kind, brand.id, None if kind is ActorKind.cli else new_id())
    await ON_SOMEBODYS_WORD[action](session, context.tokens, brand, code, redemption, actor)
    (entry,) = await session.scalars(select(AuditEntry).where(AuditEntry.action == action))
    assert (entry.actor_kind, entry.actor_id) == (kind, actor.id)
    values = await session.scalars(select(AuditValue.field).where(AuditValue.entry_id == entry.id))
    assert sorted(values) == entry.fields


async def test_a_whole_rollback_and_a_disabling_are_audited_once(session, brand, shop):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    redemption = await rows.redemption(code)
    actor = cli_actor(brand.id)
    for key in ("a", "b"):
        await roll_back(session, brand, redemption.id, Rollback(None, "odd"), actor=actor, key=key, now=START)
        await disable_code(session, brand, code.code, actor=actor, now=START)
    entries = select(AuditEntry.action).where(AuditEntry.subject_id.in_([code.id, redemption.id]))
    assert list(await session.scalars(entries.order_by(AuditEntry.id))) == [
        AuditAction.redemption_rolled_back,
        AuditAction.code_disabled,
    ]


async def test_another_role_is_audited_with_the_one_before(session, brand):
    actor = cli_actor(brand.id)
    for role in (Role.viewer, Role.admin, Role.admin):
        await add_staff(session, brand.id, "mia@example.com", role, actor=actor)
    values = select(AuditValue.before, AuditValue.after).where(AuditValue.field == "role")
    found = await session.execute(values.order_by(AuditValue.entry_id))
    assert [tuple(row) for row in found] == [(None, "viewer"), ("viewer", "admin")]


def test_the_api_takes_the_fields_that_the_steps_take():
    assert BrandChange.model_fields.keys() == BrandFields.__annotations__.keys()
    assert ShopChange.model_fields.keys() == ShopFields.__annotations__.keys()


@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET action = 'x'", "DELETE FROM audit_entries"])
async def test_an_entry_cannot_be_changed_or_deleted(session, brand, statement):
    await record_action(session, cli_actor(brand.id), AuditAction.code_disabled, ("cod", new_id()))
    with pytest.raises(DBAPIError, match="append-only"):
        await session.execute(text(statement))


async def test_the_machines_own_acts_are_not_audited(session, brand):
    for kind in (ActorKind.worker, ActorKind.customer, ActorKind.platform):
        await record_action(session, Actor(kind, brand.id), AuditAction.code_disabled, ("cod", new_id()))
    disabled = select(AuditEntry).where(AuditEntry.action == AuditAction.code_disabled)
    assert (await session.scalars(disabled)).all() == []
