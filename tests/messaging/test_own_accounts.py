"""Brands' own accounts at providers: who sends by which, and whose reports are believed."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import SecretStr
from sqlalchemy import select

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.errors import Fault, Outcome, OutsideError
from app.base.tokens import Tokens
from app.base.web.problems import install_problems
from app.brands.add import add_brand, add_shop
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.models import Suppression
from app.messaging.account_rules import AccountEntry, read_entry
from app.messaging.accounts import OwnAccount, remove_account, reseal_accounts, save_account
from app.messaging.circuits import load_circuits
from app.messaging.models import Message, ProviderAccount, ProviderEvent
from app.messaging.own_providers import OwnProviders
from app.messaging.provider_routes import router
from app.messaging.rules import MessageStatus
from app.messaging.send_sweeps import sweep
from tests.support.constants import NOW, SECRET_KEY
from tests.support.factories.customers import put_customer
from tests.support.factories.messages import queue
from tests.support.fakes.scripted import Scripted
from tests.support.fakes.sendgrid import FakeSendGrid, Mail
from tests.support.fakes.sent import put_message
from tests.support.fakes.twilio import AUTH_TOKEN, SERVICE, signed

KEY = {"api_key": "SG.abc.def"}
SMTP = {"url": "smtps://user:def@mail.example.com:465"}
SID = "AC" + "a" * 32
TWILIO = {"account_sid": SID, "auth_token": "own token of acme"}
PHONE = "+4915112345678"


@pytest.mark.parametrize(
    ("channel", "provider", "credentials", "sender", "words"),
    [
        (Channel.email, "sendgrid", KEY, None, None),
        (Channel.sms, "twilio", TWILIO, SERVICE, None),
        (Channel.email, "smtp", SMTP, None, None),
        (Channel.sms, "smtp", SMTP, SERVICE, "one of: twilio"),
        (Channel.email, "smtp", {"url": "https://def@mail.example"}, None, "smtps://user:password"),
        (Channel.email, "smtp", {"url": "smtps://mail.example:465"}, None, "must have a user"),
        (Channel.email, "smtp", {"url": "smtps://u:p@mail.example/?x=1"}, None, "without path"),
        (Channel.email, "twilio", TWILIO, SERVICE, "one of: sendgrid, smtp"),
        (Channel.sms, "smoke", {}, None, "one of: twilio"),
        (Channel.email, "sendgrid", {}, None, "api_key is missing"),
        (Channel.email, "sendgrid", {"api_key": "abc"}, None, "cannot be right"),
        (Channel.email, "sendgrid", KEY | {"password": "x"}, None, "has no credential password"),
        (Channel.email, "sendgrid", KEY | {"event_public_key": "short"}, None, "verification key"),
        (Channel.sms, "twilio", TWILIO, None, "MG…"),
        (Channel.sms, "twilio", TWILIO, "+4915112345678", "MG…"),
    ],
)
def test_an_account_is_checked_for_its_form(
    channel: Channel, provider: str, credentials: dict[str, str], sender: str | None, words: str | None
) -> None:
    entry = read_entry(channel, provider, credentials, sender)
    if words is None:
        assert isinstance(entry, AccountEntry)
        assert "def" not in repr(entry)
    else:
        assert isinstance(entry, str)
        assert words in entry


async def give_account(context: AppContext, brand: Brand, **credentials: str) -> None:
    given = credentials or KEY
    channel, provider = (Channel.sms, "twilio") if "auth_token" in given else (Channel.email, "sendgrid")
    entry = read_entry(channel, provider, given, SERVICE if channel is Channel.sms else None)
    assert isinstance(entry, AccountEntry)
    async with context.sessions.begin() as session:
        await save_account(session, context.tokens, brand.id, entry, actor=cli_actor(brand.id), now=NOW)


async def other_shop(context: AppContext) -> tuple[Brand, Shop]:
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "other", name="Other", postal_address="2 Main St, Berlin")
        shop, _ = await add_shop(
            session, context.tokens, brand, "other", name="Other", actor=cli_actor(brand.id)
        )
        return brand, shop


async def statuses(context: AppContext) -> dict[int, set[MessageStatus]]:
    async with context.sessions() as session:
        rows = await session.execute(select(Message.brand_id, Message.status))
        found: dict[int, set[MessageStatus]] = {}
        for brand_id, status in rows:
            found.setdefault(brand_id, set()).add(status)
        return found


async def test_a_rejected_key_of_one_brand_stops_no_other(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    other, others_shop = await other_shop(context)
    await give_account(context, brand)
    shared = Scripted(name="sendgrid")
    rejected = OutsideError(Outcome.refused, "no", fault=Fault.access)
    mine = Scripted([lambda batch: [rejected] * len(batch.recipients)] * 2, name="sendgrid")
    made: list[OwnAccount] = []

    def make(account: OwnAccount) -> Scripted:
        made.append(account)
        return mine

    each = sweep(context, {Channel.email: shared, Channel.sms: shared}, OwnProviders(context.tokens, make))
    for brand_, shop_ in ((brand, shop), (other, others_shop)):
        await queue(context, brand_, shop_, 2)
    await sweep_once(each, NOW)
    assert await statuses(context) == {brand.id: {MessageStatus.planned}, other.id: {MessageStatus.accepted}}
    assert (len(mine.calls), {batch.brand_id for batch in shared.calls}) == (1, {other.id})
    assert made[0].credentials == KEY
    async with context.sessions() as session:
        assert list(await load_circuits(session)) == [f"sendgrid/{brand.id}"]

    await queue(context, other, others_shop, 1)
    await sweep_once(each, NOW + timedelta(seconds=1))
    assert (await statuses(context))[other.id] == {MessageStatus.accepted}
    await sweep_once(each, NOW + timedelta(hours=1))
    assert len(mine.calls) == 2, "one message tests the account"
    await sweep_once(each, NOW + timedelta(hours=2))
    await sweep_once(each, NOW + timedelta(hours=2, seconds=1))
    assert (await statuses(context))[brand.id] == {MessageStatus.accepted}
    assert len(made) == 1, "one client for all sweeps"

    async with context.sessions.begin() as session:
        assert await remove_account(session, brand.id, Channel.email, actor=cli_actor(brand.id))
    await queue(context, brand, shop, 1)
    await sweep_once(each, NOW + timedelta(hours=3))
    assert shared.calls[-1].brand_id == brand.id, "then the installation's"


async def test_an_outage_of_the_installations_account_stops_no_brand_with_its_own(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    other, others_shop = await other_shop(context)
    await give_account(context, brand)
    rejected = OutsideError(Outcome.refused, "no", fault=Fault.access)
    shared = Scripted([lambda batch: [rejected] * len(batch.recipients)] * 9, name="sendgrid")
    mine = Scripted(name="sendgrid")
    own = OwnProviders(context.tokens, lambda _account: mine)
    each = sweep(context, {Channel.email: shared, Channel.sms: shared}, own)
    await queue(context, other, others_shop, 2)
    await sweep_once(each, NOW)
    await queue(context, brand, shop, 2)
    await sweep_once(each, NOW + timedelta(seconds=1))
    assert await statuses(context) == {other.id: {MessageStatus.planned}, brand.id: {MessageStatus.accepted}}
    assert len(shared.calls) == 1


async def test_credentials_of_a_lost_key_send_nothing_and_no_other_account_does(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    await give_account(context, brand)
    shared = Scripted(name="sendgrid")
    own = OwnProviders(Tokens("another key"), lambda _account: shared)
    await queue(context, brand, shop, 1)
    await sweep_once(sweep(context, {Channel.email: shared, Channel.sms: shared}, own), NOW)
    assert await statuses(context) == {brand.id: {MessageStatus.planned}}
    assert shared.calls == []
    async with context.sessions() as session:
        (circuit,) = (await load_circuits(session)).values()
    assert "another TENFOLD_SECRET_KEY" in circuit.reason


async def test_accounts_are_sealed_anew_under_a_new_key(context: AppContext, brand: Brand) -> None:
    await give_account(context, brand)
    new = Tokens("a new key", [SECRET_KEY])
    async with context.sessions.begin() as session:
        assert [await reseal_accounts(session, new, brand.id) for _ in range(2)] == [1, 0]
        row = (await session.scalars(select(ProviderAccount))).one()
    assert Tokens("a new key").open(row.sealed_credentials) == '{"api_key":"SG.abc.def"}'


@pytest.fixture
async def client(context: AppContext) -> AsyncIterator[AsyncClient]:
    context.settings.twilio_auth_token = SecretStr(AUTH_TOKEN)
    app = FastAPI()
    app.state.context = context
    install_problems(app)
    app.include_router(router)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://inside") as client:
        yield client


async def put(context: AppContext, shop: Shop, address: str, channel: Channel) -> UUID:
    async with context.sessions.begin() as session:
        _, (attempt_id,) = await put_message(session, shop, address, now=NOW, channel=channel)
        return attempt_id


async def events_of(context: AppContext) -> list[int]:
    async with context.sessions() as session:
        return list(await session.scalars(select(ProviderEvent.brand_id).order_by(ProviderEvent.brand_id)))


async def test_sendgrids_events_of_an_own_account_are_signed_by_it_and_about_its_brand_alone(
    context: AppContext, brand: Brand, shop: Shop, client: AsyncClient
) -> None:
    fake, stranger = FakeSendGrid(), FakeSendGrid()
    await give_account(context, brand, **KEY, event_public_key=fake.public_key)
    _, others_shop = await other_shop(context)
    mails = []
    for each in (shop, others_shop):
        attempt = await put(context, each, "ana@example.com", Channel.email)
        token = context.tokens.link("attempt", each.brand_id, attempt)
        mails.append(
            Mail("ana@example.com", "a@b.example", "s", "t", "", {}, {"tenfold_attempt": token}, "f1")
        )
    events = fake.events("delivered", of=mails)
    for path, signer, status in (
        ("/hooks/sendgrid/events/acme", stranger, 401),
        ("/hooks/sendgrid/events/other", fake, 401),
        ("/hooks/sendgrid/events/nobody", fake, 401),
        ("/hooks/sendgrid/events/acme", fake, 200),
    ):
        body, headers = signer.signed(events)
        assert (await client.post(path, content=body, headers=headers)).status_code == status
    assert await events_of(context) == [brand.id]


async def test_twilios_reports_of_an_own_account_are_about_the_brands_that_send_by_it(
    context: AppContext, brand: Brand, shop: Shop, client: AsyncClient
) -> None:
    await give_account(context, brand, **TWILIO)
    other, others_shop = await other_shop(context)
    for each in (brand, other):
        await put_customer(context, each, phone=PHONE)
    public = context.settings.public_url
    for each in (shop, others_shop):
        attempt = await put(context, each, PHONE, Channel.sms)
        path = f"/hooks/twilio/status/{context.tokens.link('attempt', each.brand_id, attempt)}"
        form = {"MessageSid": f"SM{each.brand_id}", "MessageStatus": "delivered", "AccountSid": SID}
        body, headers = signed(public + path, form, TWILIO["auth_token"])
        assert (await client.post(path, content=body, headers=headers)).status_code == 204
        body, headers = signed(public + path, form, "a guess")
        assert (await client.post(path, content=body, headers=headers)).status_code == 401
    assert await events_of(context) == [brand.id]

    async def suppressed() -> list[int]:
        async with context.sessions() as session:
            return list(await session.scalars(select(Suppression.brand_id).order_by(Suppression.brand_id)))

    stop = {"MessageSid": "SM9", "From": PHONE, "Body": "STOP", "AccountSid": SID}
    for token, brands in ((TWILIO["auth_token"], [brand.id]), (AUTH_TOKEN, [brand.id, other.id])):
        body, headers = signed(f"{public}/hooks/twilio/inbound", stop, token)
        assert (await client.post("/hooks/twilio/inbound", content=body, headers=headers)).is_success
        assert await suppressed() == brands
