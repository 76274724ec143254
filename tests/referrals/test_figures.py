"""What referrers brought: computed from the rows for those who changed, and listed by it."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, text

from app.admin.listing import PageRequest, list_page
from app.admin.referrers import ReferrerFilter, ReferrerOrder, referrer_list
from app.admin.rules import Role, Scope
from app.base.actor import Actor, ActorKind
from app.base.ids import new_id, public_id
from app.base.turns import Busy
from app.insight.invariants import check
from app.orders.models import Order
from app.referrals.figure_models import ReferrerChange
from app.referrals.figures import note_changes, refresh_figures
from app.referrals.fold_facts import fold_order_facts
from app.referrals.rules import RedemptionStatus
from tests.support.constants import NOW
from tests.support.dashboard import browser_of, dashboard_app, sign_in_as
from tests.support.factories.rows import START, Rows
from tests.support.keys import api_of

LATE_IN_MAY = datetime(2026, 5, 31, 22, 30, tzinfo=UTC)
"""The first of June in Berlin."""


@pytest.fixture
async def api(context, brand):
    async with await api_of(context, brand, Scope.read) as client:
        yield client


async def refreshed(session, brand) -> None:
    while await refresh_figures(session, brand.id, now=NOW):
        pass
    await session.commit()


async def broken(session, context):
    """The violations of the figures' own invariant; rows made by hand break others."""
    found = await check(session, context.tokens)
    return [each for each in found if each.name == "referrer_figures_are_sums"]


async def three_referrers(rows):
    """One whose friends ordered in March and in May, one with a refused order, one without any."""
    codes = []
    for _ in range(3):
        happy = await rows.answer(10)
        codes.append(await rows.code(happy.customer_id, happy.survey_id))
    march = await rows.redemption(codes[0], placed_at=START)
    await rows.redemption(codes[0], RedemptionStatus.pending, placed_at=LATE_IN_MAY)
    await rows.redemption(codes[0], placed_at=START, test=True)
    await rows.redemption(codes[1], RedemptionStatus.refused, placed_at=START)
    await rows.visit(codes[0])
    return codes, march


async def figures_of(api, query=""):
    answer = await api.get(f"/referrers{query}")
    assert answer.status_code == 200, answer.text
    names = ("friends", "orders", "revenue", "cost", "profit")
    return {row["id"]: tuple(row[name] for name in names) for row in answer.json()["data"]}


async def test_figures_follow_every_change_and_rank_referrers(context, brand, session, shop, api):
    codes, march = await three_referrers(Rows(session, brand, shop))
    first, second, third = (public_id("ref", code.referrer_id) for code in codes)
    await refreshed(session, brand)
    assert await figures_of(api) == {
        third: (0, 0, "0.00", "0.00", None),
        second: (0, 0, "0.00", "8.00", None),
        first: (2, 2, "144.00", "26.00", None),
    }
    assert list(await figures_of(api, "?order=revenue")) == [first, second]
    assert await figures_of(api, "?order=friends&span=2026-03") == {
        first: (1, 1, "72.00", "18.00", None),
        second: (0, 0, "0.00", "8.00", None),
    }
    assert await figures_of(api, "?order=revenue&currency=USD") == {}
    assert await figures_of(api, "?order=revenue&shop=nosuch") == {}
    assert (await api.get("/referrers?order=profit")).json()["code"] == "no_margin"
    assert (await api.get("/referrers?span=2026-13")).json()["code"] == "bad_period"
    # A refund is folded in by the step, which notes it.
    await session.execute(text("UPDATE orders SET refunded = 2200 WHERE id = :id"), {"id": march.order_id})
    await fold_order_facts(session, brand, [march.order_id], now=START)
    assert await session.scalar(select(func.count()).select_from(ReferrerChange)) == 1
    assert await broken(session, context) == []
    await session.commit()
    await refreshed(session, brand)
    assert (await figures_of(api, "?order=friends&span=2026"))[first][:3] == (2, 2, "122.00")
    # Another margin and zone: everything is computed with them, on the next change of the brand.
    brand.margin_percent, brand.time_zone = 50, "Europe/Berlin"
    session.add(brand)
    await note_changes(session, brand.id, [codes[2].referrer_id])
    await session.commit()
    await refreshed(session, brand)
    assert await figures_of(api, "?order=profit&span=2026-06") == {first: (1, 1, "72.00", "8.00", "28.00")}
    assert await figures_of(api, "?order=profit&span=2026-05") == {}
    assert [row[4] for row in (await figures_of(api, "?order=profit")).values()][-1] == "-8.00"
    assert await broken(session, context) == []


async def test_one_process_at_a_time_computes_a_brands_figures(context, brand, session, shop):
    codes, _ = await three_referrers(Rows(session, brand, shop))
    await note_changes(session, brand.id, [codes[0].referrer_id])
    await session.commit()
    await refresh_figures(session, brand.id, now=NOW)
    async with context.sessions.begin() as other:
        with pytest.raises(Busy):
            await refresh_figures(other, brand.id, now=NOW)
    await session.rollback()


async def test_who_sees_some_shops_ranks_their_referrers_alone(context, brand, session, shop):
    codes, _ = await three_referrers(Rows(session, brand, shop))
    await refreshed(session, brand)
    for shops, ids in (({shop.id}, [code.referrer_id for code in codes[:2]]), ({new_id()}, [])):
        actor = Actor(ActorKind.staff, brand.id, new_id(), shops=frozenset(shops))
        found = referrer_list(brand, ReferrerFilter("EUR", ReferrerOrder.revenue))
        wanted = PageRequest(context.tokens, 10, None)
        page = await list_page(session, wanted, actor, found.resource, found.condition, by=found.by)
        assert [each.id for each in page.data] == [public_id("ref", each) for each in ids]


async def test_a_ranked_list_goes_on_where_a_page_ends(brand, session, shop, api):
    rows = Rows(session, brand, shop)
    for _ in range(3):
        happy = await rows.answer(10)
        await rows.redemption(await rows.code(happy.customer_id, happy.survey_id))
    await session.execute(
        text("UPDATE orders SET total = 7300 WHERE id IN (SELECT max(id::text)::uuid FROM orders)")
    )
    await session.commit()
    await refreshed(session, brand)
    seen, cursor = [], ""
    while cursor is not None:
        answer = (await api.get(f"/referrers?order=revenue&limit=1{cursor and f'&cursor={cursor}'}")).json()
        seen += [(row["revenue"], row["id"]) for row in answer["data"]]
        cursor = answer["next_cursor"]
    assert len(seen) == 3
    assert seen == sorted(seen, reverse=True)


async def test_the_screen_ranks_referrers_and_links_what_it_names(context, brand, session, shop):
    codes, _ = await three_referrers(Rows(session, brand, shop))
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand)
        assert "No friend has ordered" in (await client.get("/admin/referrers")).text
        await refreshed(session, brand)
        page = (await client.get("/admin/referrers")).text
        assert f'href="/admin/orders?referrer={public_id("ref", codes[0].referrer_id)}">2<' in page
        assert "€144" in page
        assert 'data-label="Profit"' not in page
        assert "Ana Ito" in page
        assert public_id("ref", codes[2].referrer_id) not in page
        assert "3 referrers" in (await client.get("/admin/referrers?order=newest")).text
        for nonsense in ("?order=x", "?span=x", "?currency=XXX", "?order=profit", "?cursor=x"):
            answer = await client.get(f"/admin/referrers{nonsense}")
            assert answer.headers["location"] == "/admin/referrers", nonsense
        await sign_in_as(client, context, brand, Role.viewer)
        assert "Ana Ito" not in (await client.get("/admin/referrers")).text
    assert await session.scalar(select(func.count()).select_from(Order)) == 7
