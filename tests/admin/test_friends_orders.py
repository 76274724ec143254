"""Friends' orders: their list, the page of one with its evidence, and the decisions."""

from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from app.admin.rules import Role, Scope
from app.base import clock
from app.base.actor import cli_actor
from app.base.audit import AuditEntry
from app.base.ids import parse_public_id, public_id
from app.brands.add import add_shop
from app.customers.models import Customer
from app.insight.evidence_sentences import Compared, Finding, Found, Whose, decision
from app.orders.models import Order
from app.referrals.fold_facts import fold_order_facts
from app.referrals.models import Code, Redemption
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus, RewardStatus
from tests.support.dashboard import sign_in_as
from tests.support.forms import send_form
from tests.support.keys import api_of


@pytest.fixture
async def api(context, brand):
    async with await api_of(context, brand, Scope.read) as client:
        yield client


async def held_back(rows, session):
    """A friend's order in review, to the address of the referrer's own order, and their code."""
    happy = await rows.answer(10, order={"address_key": b"home", "payment_key": b"card"})
    code = await rows.code(happy.customer_id, happy.survey_id)
    held = await rows.redemption(code, RedemptionStatus.in_review, address_key=b"home", payment_key=b"other")
    held.reason = "suspected_fraud"
    session.add(held)
    await session.commit()
    return held, code


async def test_a_held_back_order_is_found_by_its_state_and_filters(context, brand, session, rows, client):
    held, code = await held_back(rows, session)
    refused = await rows.redemption(code, RedemptionStatus.refused)
    await session.commit()
    numbers = {each.id: f'<a href="/admin/orders/{public_id("red", each.id)}">' for each in (held, refused)}
    await sign_in_as(client, context, brand)
    overview = (await client.get("/admin?days=all")).text
    assert "One friend’s order waits for your decision" in overview
    assert 'href="/admin/orders?status=in_review"' in overview
    assert '<span class="badge">1<' in overview
    referrer = public_id("ref", held.referrer_id)
    wanted = {
        "": {held.id, refused.id},
        "?status=in_review": {held.id},
        "?status=refused&reason=minimum_not_met": {refused.id},
        "?reason=suspected_fraud": {held.id},
        f"?code={code.display.lower()}": {held.id, refused.id},
        "?code=NOSUCH": set(),
        f"?referrer={referrer}&status=approved": set(),
        f"?referrer={referrer}": {held.id, refused.id},
        "?from=2000-01-01&to=2001-01-01": set(),
        "?from=2000-01-01": {held.id, refused.id},
    }
    for query, ids in wanted.items():
        text = (await client.get(f"/admin/orders{query}")).text
        assert {each for each, link in numbers.items() if link in text} == ids, query
    for nonsense in ("?status=x", "?reason=x", "?referrer=x", "?from=x", "?cursor=x"):
        assert (await client.get(f"/admin/orders{nonsense}")).headers["location"] == "/admin/orders"


async def test_the_page_says_why_it_waits_and_what_hangs_on_it(context, brand, session, rows, client):
    held, _ = await held_back(rows, session)
    path = f"/admin/orders/{public_id('red', held.id)}"
    friend = await session.get_one(Customer, (brand.id, held.friend_id))
    own = await session.scalar(select(Order.number).where(Order.address_key == b"home").limit(1))
    await sign_in_as(client, context, brand)
    text = (await client.get(path)).text
    assert "Looks like the same household as the referrer’s." in text
    assert f"It goes to the same address as the referrer’s order {own}." in text
    assert '<span class="same">the same</span>' in text
    assert "Paid in a way that neither the referrer nor an earlier friend has used." in text
    assert "€10 for the referrer, at once when you let it count." in text
    assert "The friend keeps their €8 off either way." in text
    assert friend.email in text
    await sign_in_as(client, context, brand, Role.viewer)
    masked = (await client.get(path)).text
    assert friend.email not in masked
    assert "Let it count" not in masked
    assert (await send_form(client, path, f"{path}/approve")).status_code == 403
    assert (await client.get("/admin/orders/red_x")).status_code == 404


async def test_marketers_reject_with_a_reason_and_undo_it(context, brand, session, rows, client):
    held, _ = await held_back(rows, session)
    path = f"/admin/orders/{public_id('red', held.id)}"
    await sign_in_as(client, context, brand, Role.marketer)
    await send_form(client, path, f"{path}/reject", {"reason": " "})
    assert "Say why it does not count." in (await client.get(path)).text
    rejected = await send_form(client, path, f"{path}/reject", {"reason": "same kitchen"})
    assert rejected.headers["location"] == path
    text = (await client.get(path)).text
    assert "It does not count now." in text
    assert "A person decided that it does not count" in text
    assert "Before that it waited for a person to decide (suspected fraud)." in text
    assert "€10 for the referrer, should you let it count after all." in text
    again = await send_form(client, path, f"{path}/reject", {"reason": "again"})
    assert again.status_code == 303
    assert "cannot become rejected" in (await client.get(path)).text
    await send_form(client, path, f"{path}/approve")
    text = (await client.get(path)).text
    assert "It counts now." in text
    assert "now granted" in text
    assert "Do not count it" not in text
    reward = await session.scalar(
        select(Reward.status).where(Reward.redemption_id == held.id).execution_options(populate_existing=True)
    )
    assert reward is RewardStatus.granted
    actions = await session.scalars(
        select(AuditEntry.action).where(AuditEntry.subject_id == held.id).order_by(AuditEntry.id)
    )
    assert list(actions) == ["redemption_rejected", "redemption_approved"]


async def test_evidence_follows_what_is_known_now(session, rows, api):
    held, code = await held_back(rows, session)

    async def evidence_of(row):
        answer = await api.get(f"/redemptions/{public_id('red', row.id)}")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return found, {each["compared"]: each for each in found["evidence"]["findings"]}

    shown, by = await evidence_of(held)
    assert {name: each["found"] for name, each in by.items()} == {
        "email": "unknown",
        "phone": "unknown",
        "account": "unknown",
        "payment": "clear",
        "address": "against",
        "history": "clear",
        "code": "clear",
        "amount": "clear",
    }
    assert (by["address"]["whose"], by["payment"]["order"]) == ("referrer", None)
    assert (shown["order_total"], shown["status"]) == ("72.00", "in_review")
    assert "@example" not in shown["evidence"]["friend"]["email"]
    assert shown["evidence"]["reward"]["amount"] == "10.00"
    # Another friend pays as this one, who has the referrer's number and bought too little.
    later = await rows.redemption(code, RedemptionStatus.approved, payment_key=b"other")
    owner = parse_public_id("cus", shown["evidence"]["referrer"]["id"])
    for change in (
        update(Redemption).where(Redemption.id == held.id).values(friend_phone="+491701234567"),
        update(Customer).where(Customer.id == owner).values(phone="+491701234567"),
        update(Code).where(Code.id == code.id).values(minimum_subtotal=100),
    ):
        await session.execute(change)
    await session.commit()
    _, by = await evidence_of(held)
    assert (by["phone"]["found"], by["minimum"]["found"]) == ("against", "against")
    assert by["payment"]["found"] == "clear", "who came later tells nothing about who came before"
    _, by = await evidence_of(later)
    assert (by["payment"]["found"], by["payment"]["whose"]) == ("against", "friend")
    await session.execute(
        update(Redemption)
        .where(Redemption.id == held.id)
        .values(status=RedemptionStatus.refused, reason="own_order")
    )
    await session.commit()
    _, by = await evidence_of(later)
    assert by["payment"]["found"] == "clear", "an order that was refused is no mark"
    shown, _ = await evidence_of(held)
    assert shown["evidence"]["decision"] == "It does not count: an order of their own."
    listed = await api.get("/redemptions?reason=own_order&from=2000-01-01")
    assert [each["id"] for each in listed.json()["data"]] == [shown["id"]]
    assert (await api.get("/redemptions?reason=their+words")).status_code == 422
    assert (await api.get("/redemptions?shop=nosuch")).json()["data"] == []


def test_the_decision_names_what_made_a_person_decide():
    held = Redemption(status=RedemptionStatus.in_review, reason="suspected_fraud")

    def decision_of(*findings):
        return decision(held, findings, "en", ZoneInfo("UTC"), pii=True)

    def same(compared, whose):
        return Finding(compared, Found.against, whose=whose)

    missing = [Finding(each, Found.unknown, is_missing=True) for each in (Compared.email, Compared.phone)]
    assert "Nothing tells who the friend is" in decision_of(*missing)
    assert "it was paid in their way" in decision_of(
        missing[0], same(Compared.address, Whose.referrer), same(Compared.payment, Whose.referrer)
    )
    assert "earlier friend under another name" in decision_of(same(Compared.payment, Whose.friend))
    assert "When it came" in decision_of(Finding(Compared.address, Found.clear))
    rejected = Redemption(status=RedemptionStatus.rejected, reason="Lena lives there")
    shown = [decision(rejected, [], "en", ZoneInfo("UTC"), pii=pii) for pii in (True, False)]
    assert "Lena" in shown[0]
    assert "Lena" not in shown[1]


async def test_a_list_of_one_shop_reads_its_orders_alone(context, brand, shop, session, rows, api):
    second, _ = await add_shop(
        session, context.tokens, brand, "second", name="Second", actor=cli_actor(brand.id)
    )
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    for each in (shop, second, shop):
        await rows.redemption(code, shop_id=each.id)
    await session.commit()
    counts = {}
    for slug in (shop.slug, "second"):
        answer = await api.get(f"/redemptions?shop={slug}")
        counts[slug] = len(answer.json()["data"])
    assert counts == {shop.slug: 2, "second": 1}
    # A process of the version before writes rows without their shop; the next fact fills it in.
    await session.execute(update(Redemption).values(shop_id=None))
    await session.commit()
    async with context.sessions.begin() as own:
        orders = list(await own.scalars(select(Redemption.order_id)))
        await fold_order_facts(own, brand, orders, now=clock.now())
    assert len((await api.get("/redemptions?shop=second")).json()["data"]) == 1
