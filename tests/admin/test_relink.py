"""An order is credited to a referrer on a screen and by the API, and taken away again."""

from app.admin.rules import Role, Scope
from app.base.ids import public_id
from app.referrals.rules import RedemptionStatus
from tests.support.dashboard import browser_of, dashboard_app, sign_in_as
from tests.support.forms import send_form
from tests.support.keys import api_of


async def test_an_order_is_credited_on_a_screen_and_by_a_key(context, brand, session, rows):
    happy, glad = await rows.answer(10), await rows.answer(9)
    code = await rows.code(happy.customer_id, happy.survey_id)
    other = await rows.code(glad.customer_id, glad.survey_id)
    order = await rows.order(await rows.customer())
    wrong = await rows.redemption(code, RedemptionStatus.in_review)
    await session.commit()
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand, Role.marketer)
        assert 'href="/admin/orders/credit"' in (await client.get("/admin/orders")).text
        page = "/admin/orders/credit"
        fields = {"order": order.number, "to": "nobody", "reason": "they forgot it"}
        failed = await send_form(client, page, page, fields)
        assert "No referrer is found by this." in (await client.get(failed.headers["location"])).text
        assert (await send_form(client, page, page, fields | {"reason": ""})).status_code == 422
        done = await send_form(client, page, page, fields | {"to": code.display.lower()})
        text = (await client.get(done.headers["location"])).text
        assert "It is credited to them now." in text
        assert f"Order {order.number} with {code.display}" in text
        path = f"/admin/orders/{public_id('red', wrong.id)}"
        assert "Credit it to somebody else…" in (await client.get(path)).text
        own = await send_form(client, path, f"{path}/relink", {"to": "", "reason": "x"})
        assert "Say whose it is, and why." in (await client.get(own.headers["location"])).text
        await send_form(client, path, f"{path}/relink", {"to": other.display, "reason": "their sister"})
        assert f"with {other.display}" in (await client.get(path)).text
        await send_form(client, path, f"{path}/approve")
        text = (await client.get(path)).text
        assert "Credit it to somebody else" in text, "also after its reward"
        await send_form(client, path, f"{path}/take-back", {"reason": "a mistake"})
        text = (await client.get(path)).text
        assert "It is taken back." in text
        assert "Taken back" in text
    async with await api_of(context, brand, Scope.read, Scope.write) as api:
        late = await rows.order(await rows.customer(email_key="late@example.com"))
        await session.commit()
        body = {"order": public_id("ord", late.id), "to": code.display, "reason": "a call"}
        made = await api.post("/redemptions", json=body)
        assert made.status_code == 201, made.text
        shown = made.json()
        assert (shown["status"], shown["amount_off"]) == ("pending", "0.00")
        assert (await api.post("/redemptions", json=body)).json()["code"] == "not_relinkable"
        assert (await api.post("/redemptions", json=body | {"order": "#none"})).json()[
            "code"
        ] == "unknown_order"
        moved = await api.post(
            f"/redemptions/{shown['id']}/relink", json={"to": other.display, "reason": "no, theirs"}
        )
        assert moved.json()["referrer"] == public_id("ref", other.referrer_id)
        gone = await api.post(f"/redemptions/{shown['id']}/relink", json={"to": None, "reason": "nobody's"})
        assert gone.json()["status"] == "reversed"
