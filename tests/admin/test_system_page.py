"""The system's page, and the same by the API."""

from datetime import timedelta

from app.admin.rules import Role, Scope
from app.base import clock
from app.base.actor import cli_actor
from app.base.ids import public_id
from app.brands.add import add_brand, add_shop
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.insight.first_steps import first_steps
from app.messaging.rules import MessageStatus
from app.surveys.templates import SURVEY
from tests.support.dashboard import sign_in_as
from tests.support.factories.rows import Rows
from tests.support.forms import send_form
from tests.support.keys import api_of


async def add_delivery(session, brand, shop, number, **said):
    values = {
        "brand_id": brand.id,
        "shop_id": shop.id,
        "source": "checkout",
        "topic": "order.paid",
        "external_id": f"d{number}",
        "body": b'{"order": {"name": "<Ana>"}}',
        "body_hash": str(number).encode(),
        "received_at": clock.now() - timedelta(minutes=number),
    }
    row = Delivery(**(values | said))
    session.add(row)
    await session.flush()
    return row


async def test_what_waits_and_fails_is_shown_and_a_failed_delivery_is_processed_again(
    context, brand, shop, session, client
):
    await add_shop(session, context.tokens, brand, "quiet", name="Quiet shop", actor=cli_actor(brand.id))
    await add_delivery(session, brand, shop, 1)
    failed = await add_delivery(
        session, brand, shop, 2, status=DeliveryStatus.failed, reason="no amount", processed_at=clock.now()
    )
    rival = await add_brand(session, "rival", name="Rival")
    others, _ = await add_shop(session, context.tokens, rival, "rival", name="R", actor=cli_actor(rival.id))
    foreign = await add_delivery(session, rival, others, 3, status=DeliveryStatus.failed, reason="theirs")
    await session.commit()
    steps = [await first_steps(session, each.id, sends=True) for each in (brand, rival)]
    assert [each.delivery_received for each in steps] == [True, True]
    foreign.source = "import"
    await session.commit()
    assert not (await first_steps(session, rival.id, sends=True)).delivery_received
    await sign_in_as(client, context, brand, Role.marketer)
    assert (await client.get("/admin/system")).status_code == 403
    await sign_in_as(client, context, brand)
    text = (await client.get("/admin/system")).text
    assert "no amount" in text
    assert "theirs" not in text
    assert "none, or long ago" in text
    path = f"/admin/system/deliveries/{public_id('dlv', failed.id)}"
    shown = (await client.get(path)).text
    assert "&lt;Ana&gt;" in shown
    assert (await client.get(f"/admin/system/deliveries/{public_id('dlv', foreign.id)}")).status_code == 404
    replayed = await send_form(client, path, f"{path}/replay")
    assert replayed.headers["location"] == "/admin/system"
    after = (await client.get("/admin/system")).text
    assert "The delivery is processed again." in after
    assert "no amount" not in after
    again = await send_form(client, "/admin/system", f"{path}/replay")
    assert again.status_code == 303
    assert "only a failed or ignored one" in (await client.get("/admin/system")).text


async def test_a_message_that_may_have_been_sent_is_decided_about(context, brand, shop, session, client):
    rows = Rows(session, brand, shop)
    lea, messages = await rows.customer(), []
    for days in (1, 1, -1):
        survey = await rows.survey(await rows.order(lea), expires_at=clock.now() + timedelta(days=days))
        messages.append(await rows.message(SURVEY, lea.id, survey.id, status=MessageStatus.review))
    await session.commit()
    await sign_in_as(client, context, brand)
    text = (await client.get("/admin/system")).text
    assert text.count("Send it once more") == 3
    paths = [f"/admin/system/messages/{public_id('msg', message.id)}" for message in messages]
    await send_form(client, "/admin/system", f"{paths[0]}/dismiss")
    left = (await client.get("/admin/system")).text
    assert "The message is not sent again." in left
    assert left.count("Send it once more") == 2
    await send_form(client, "/admin/system", f"{paths[1]}/resend")
    sent = (await client.get("/admin/system")).text
    assert "The message is sent once more." in sent
    assert sent.count("Send it once more") == 1
    await send_form(client, "/admin/system", f"{paths[2]}/resend")
    refused = (await client.get("/admin/system")).text
    assert 'class="flash failed"' in refused
    assert refused.count("Send it once more") == 1
    assert (await send_form(client, "/admin/system", f"{paths[0]}/forget")).status_code == 404


async def test_violated_invariants_are_looked_for_on_request(context, brand, shop, session, client):
    await sign_in_as(client, context, brand)
    assert "may take a minute" in (await client.get("/admin/system")).text
    assert "Every statement about the data holds." in (await client.get("/admin/system?check=1")).text
    order = await Rows(session, brand, shop).order(None)
    order.refunded = 100
    await session.commit()
    async with await api_of(context, brand, Scope.admin) as api:
        found = (await api.get("/system/invariants")).json()["data"]
    assert any(public_id("ord", order.id) in each["rows"] for each in found)
    text = (await client.get("/admin/system?check=1")).text
    assert all(each["name"] in text for each in found)
