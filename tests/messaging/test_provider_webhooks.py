"""The providers' webhook endpoints over HTTP: signatures, vendors' own bodies, garbage."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlparse
from uuid import UUID, uuid4

import orjson
import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import SecretStr
from sqlalchemy import select, text
from twilio.request_validator import RequestValidator, add_port, remove_port

from app.base.actor import cli_actor
from app.base.config import Environment
from app.base.context import AppContext
from app.base.db import Limits, make_engine, make_sessions
from app.base.errors import AppError
from app.base.web.middleware import RequestMiddleware
from app.base.web.problems import install_problems
from app.brands.add import add_brand, add_shop
from app.brands.models import Shop
from app.brands.programme import Channel
from app.brands.rules import RESERVED_SLUGS
from app.customers.consent import suppress
from app.customers.models import Suppression
from app.customers.rules import SuppressionReason
from app.messaging.models import Message, ProviderEvent
from app.messaging.provider_routes import PROVIDER_ROUTERS, router
from app.messaging.providers.sendgrid.client import ATTEMPT_ARGUMENT
from app.messaging.providers.sendgrid.events import is_from_sendgrid, read_events
from app.messaging.providers.twilio.events import is_from_twilio
from app.messaging.providers.twilio.routes import read_form
from app.messaging.rules import FailureCause, MessageStatus, ProviderEventKind
from tests.support.constants import NOW
from tests.support.fakes.sendgrid import FakeSendGrid, Mail
from tests.support.fakes.sent import put_message
from tests.support.fakes.twilio import AUTH_TOKEN, SERVICE, FakeTwilio, Text, signed
from tests.support.samples import sample

PUBLIC = "https://nps.example.com"
EVENTS = "/hooks/sendgrid/events"
INBOUND = "/hooks/twilio/inbound"


@pytest.fixture
def fake() -> FakeSendGrid:
    return FakeSendGrid()


@pytest.fixture
def app() -> FastAPI:
    return FastAPI()


@pytest.fixture
async def client(context: AppContext, fake: FakeSendGrid, app: FastAPI) -> AsyncIterator[AsyncClient]:
    context.settings.public_url = PUBLIC
    context.settings.sendgrid_event_public_key = fake.public_key
    context.settings.twilio_auth_token = SecretStr(AUTH_TOKEN)
    app.state.context = context
    app.add_middleware(RequestMiddleware)
    install_problems(app)
    app.include_router(router)
    async with AsyncClient(
        transport=ASGITransport(app=app, raise_app_exceptions=False), base_url="http://inside:8000"
    ) as client:
        yield client


def mail_of(context: AppContext, shop: Shop, attempt_id: UUID, to: str = "ana@example.com") -> Mail:
    token = context.tokens.link("attempt", shop.brand_id, attempt_id)
    return Mail(to, "hi@acme.example", "s", "t", "", {}, {"tenfold_attempt": token}, "fake01")


async def put(
    context: AppContext, shop: Shop, address: str = "ana@example.com", channel: Channel = Channel.email
) -> tuple[UUID, UUID]:
    async with context.sessions.begin() as session:
        message_id, (attempt_id,) = await put_message(session, shop, address, now=NOW, channel=channel)
        return message_id, attempt_id


async def status_of(context: AppContext, message_id: UUID) -> MessageStatus | None:
    async with context.sessions() as session:
        return await session.scalar(select(Message.status).where(Message.id == message_id))


async def stored_events(context: AppContext) -> list[ProviderEvent]:
    async with context.sessions() as session:
        return list(await session.scalars(select(ProviderEvent).order_by(ProviderEvent.created_at)))


async def suppressed(context: AppContext) -> list[tuple[int, Channel, str]]:
    async with context.sessions() as session:
        rows = await session.scalars(select(Suppression).order_by(Suppression.brand_id))
        return [(row.brand_id, row.channel, row.reason.value) for row in rows]


async def test_signed_events_are_stored(
    context: AppContext, shop: Shop, client: AsyncClient, fake: FakeSendGrid
) -> None:
    message_id, attempt_id = await put(context, shop)
    body, headers = fake.signed(
        fake.events("processed", "delivered", of=[mail_of(context, shop, attempt_id)])
    )
    for _ in range(3):
        answer = await client.post(EVENTS, content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert await status_of(context, message_id) is MessageStatus.delivered
    assert len(await stored_events(context)) == 2


async def test_reports_need_none_of_the_connections_that_pages_wait_for(
    context: AppContext, shop: Shop, client: AsyncClient, fake: FakeSendGrid, app: FastAPI
) -> None:
    _, mail_attempt = await put(context, shop)
    text_id, text_attempt = await put(context, shop, "+4915112345678", Channel.sms)
    engine = make_engine(context.database_url, pool_size=1, limits=Limits(1, 1, 1, pool=0.1))
    app.state.context = replace(
        context, sessions=make_sessions(engine), hook_sessions=None, provider_sessions=context.sessions
    )
    async with engine.connect():
        body, headers = fake.signed(fake.events("delivered", of=[mail_of(context, shop, mail_attempt)]))
        assert (await client.post(EVENTS, content=body, headers=headers)).status_code == 200
        token = context.tokens.link("attempt", shop.brand_id, text_attempt)
        path = f"/hooks/twilio/status/{token}"
        form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+4915112345678"}
        reply = {"MessageSid": "SM2", "From": "+4915112345678", "Body": "STOP"}
        for url, fields in ((path, form), (INBOUND, reply)):
            body, headers = signed(PUBLIC + url, fields)
            assert (await client.post(url, content=body, headers=headers)).is_success
    await engine.dispose()
    assert await status_of(context, text_id) is MessageStatus.delivered
    assert len(await stored_events(context)) == 2


@pytest.mark.parametrize(
    "spoil", ["body", "signature", "timestamp", "no signature", "other key", "no base64"]
)
async def test_events_without_a_valid_signature_are_refused(
    context: AppContext, shop: Shop, client: AsyncClient, fake: FakeSendGrid, spoil: str
) -> None:
    message_id, attempt_id = await put(context, shop)
    sender = FakeSendGrid() if spoil == "other key" else fake
    body, headers = sender.signed(fake.events("delivered", of=[mail_of(context, shop, attempt_id)]))
    signature, timestamp = (f"X-Twilio-Email-Event-Webhook-{name}" for name in ("Signature", "Timestamp"))
    match spoil:
        case "body":
            body = body.rstrip()
        case "signature":
            headers[signature] = (
                "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH3j/0="
            )
        case "timestamp":
            headers[timestamp] = "1600112502"
        case "no signature":
            del headers[signature]
        case "no base64":
            headers[signature] = "?"
    answer = await client.post(EVENTS, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert await status_of(context, message_id) is MessageStatus.sending


async def test_events_of_a_brand_that_cannot_be_stored_cost_no_other_brand(
    context: AppContext, shop: Shop, client: AsyncClient, fake: FakeSendGrid
) -> None:
    async with context.sessions.begin() as session:
        owner = await add_brand(session, "other", name="Other")
        actor = cli_actor(owner.id)
        other, _ = await add_shop(session, context.tokens, owner, "other", name="Other", actor=actor)
    broken, broken_attempt = await put(context, shop)
    whole, whole_attempt = await put(context, other, "max@example.com")
    mails = [
        mail_of(context, shop, broken_attempt),
        mail_of(context, other, whole_attempt, "max@example.com"),
    ]
    context.settings.sendgrid_event_public_key = None
    events = fake.events("delivered", of=mails)
    async with context.sessions.begin() as session:
        await session.execute(
            text(
                "ALTER TABLE provider_events ADD CONSTRAINT broken"
                f" CHECK (brand_id <> {shop.brand_id}) NOT VALID"
            )
        )
    assert (await client.post(EVENTS, json=events)).status_code >= 500
    assert await status_of(context, whole) is MessageStatus.delivered
    assert await status_of(context, broken) is MessageStatus.sending
    async with context.sessions.begin() as session:
        await session.execute(text("ALTER TABLE provider_events DROP CONSTRAINT broken"))
    assert (await client.post(EVENTS, json=events)).status_code == 200
    assert await status_of(context, broken) is MessageStatus.delivered
    assert len(await stored_events(context)) == 2


async def test_without_a_key_events_are_accepted_in_development_only(
    context: AppContext, shop: Shop, client: AsyncClient, fake: FakeSendGrid
) -> None:
    message_id, attempt_id = await put(context, shop)
    context.settings.sendgrid_event_public_key = None
    events = fake.events("delivered", of=[mail_of(context, shop, attempt_id)])
    context.settings.env = Environment.production
    assert (await client.post(EVENTS, json=events)).status_code == 401
    context.settings.env = Environment.development
    assert (await client.post(EVENTS, json=events)).status_code == 200
    assert await status_of(context, message_id) is MessageStatus.delivered


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"nonsense", b'"text"', b"[", b"\xff\xfe", b"null", b'[{"a": "\\ud800"}]']
)
async def test_garbage_gets_a_clear_error(context: AppContext, client: AsyncClient, body: bytes) -> None:
    context.settings.sendgrid_event_public_key = None
    answer = await client.post(EVENTS, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_events")


async def test_odd_events_are_ignored_and_the_others_stored(
    context: AppContext, shop: Shop, client: AsyncClient, fake: FakeSendGrid
) -> None:
    message_id, attempt_id = await put(context, shop)
    mail = mail_of(context, shop, attempt_id)
    odd: list[object] = [
        1,
        None,
        [],
        {},
        {"event": "delivered"},
        {"event": "delivered", "tenfold_attempt": "AQAA"},
    ]
    odd += [{"event": "delivered", "tenfold_attempt": 5}, *fake.events("account_status_change", of=[mail])]
    odd += fake.events(
        "deferred", of=[mail], response="a\x00b for ana@example.com", timestamp=1e300, attempt="5"
    )
    odd += fake.events(
        "processed", of=[mail], timestamp="soon", sg_event_id=None, sg_message_id=7, category=["a", "b"]
    )
    odd += fake.events("bounce", of=[mail], type=["?"], reason={"x": 1}, status=5, sg_event_id="x" * 9000)
    odd += [{**fake.events("delivered", of=[mail])[0], "event": ["delivered"]}]
    context.settings.sendgrid_event_public_key = None
    assert (await client.post(EVENTS, content=json.dumps(odd))).status_code == 200
    kept = await stored_events(context)
    assert {event.kind for event in kept} == {
        ProviderEventKind.deferred,
        ProviderEventKind.accepted,
        ProviderEventKind.bounced,
    }
    assert all("@" not in (event.detail or "") for event in kept)
    assert await status_of(context, message_id) is MessageStatus.bounced


async def test_too_large_a_post_is_refused(client: AsyncClient) -> None:
    answer = await client.post(EVENTS, content=b"[" + b" " * (5 * 1024 * 1024) + b"]")
    assert answer.status_code == 413


async def test_a_wrong_public_key_in_the_settings_is_reported(
    context: AppContext, client: AsyncClient, fake: FakeSendGrid
) -> None:
    context.settings.sendgrid_event_public_key = "no key"
    body, headers = fake.signed([])
    answer = await client.post(EVENTS, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "bad_settings")


def test_sendgrids_published_signature_holds() -> None:
    vector = sample("sendgrid", "signature")
    said = {
        "signature": vector["X-Twilio-Email-Event-Webhook-Signature"],
        "timestamp": vector["X-Twilio-Email-Event-Webhook-Timestamp"],
    }
    body = vector["raw_body"].encode()
    assert is_from_sendgrid(vector["public_key"], body, **said)
    assert not is_from_sendgrid(vector["wrong_key"], body, **said)
    assert not is_from_sendgrid(
        vector["public_key"], body, **{**said, "signature": vector["wrong_signature"]}
    )
    assert not is_from_sendgrid(vector["public_key"], body.rstrip(), **said)


async def test_every_event_type_of_the_documentation(
    context: AppContext, shop: Shop, client: AsyncClient, fake: FakeSendGrid
) -> None:
    documented = sample("sendgrid", "events")
    message_ids = {}
    for number, event in enumerate(documented):
        message_id, attempt_id = await put(context, shop, f"p{number}@example.com")
        message_ids[event["event"]] = message_id
        event |= {"sg_event_id": f"event-{number}", **mail_of(context, shop, attempt_id).arguments}
    body, headers = fake.signed(documented)
    assert (await client.post(EVENTS, content=body, headers=headers)).status_code == 200
    kept = {event.external_id: event for event in await stored_events(context)}
    assert len(kept) == len(documented) - 1, "a resubscription is not used"
    assert kept["event-0"].at.timestamp() == documented[0]["timestamp"]
    statuses = {name: await status_of(context, message_id) for name, message_id in message_ids.items()}
    assert statuses == {
        "processed": "accepted",
        "deferred": "accepted",
        "delivered": "delivered",
        "open": "accepted",
        "click": "accepted",
        "bounce": "bounced",
        "dropped": "failed",
        "spamreport": "complained",
        "unsubscribe": "accepted",
        "group_unsubscribe": "accepted",
        "group_resubscribe": "sending",
    }
    assert sorted(reason for _, _, reason in await suppressed(context)) == [
        "bounced",
        "bounced",
        "complained",
        "unsubscribed",
        "unsubscribed",
    ]


def test_twilios_published_signatures_hold() -> None:
    found = sample("twilio", "signatures")
    for vector in found["published"]:
        form = vector.get("json_body") or {
            name: given if isinstance(given, list) else [given]
            for name, given in vector.get("params", {}).items()
        }
        assert is_from_twilio(found["auth_token"], vector["url"], form, vector["signature"]), vector
        assert not is_from_twilio(found["auth_token"] + "6", vector["url"], form, vector["signature"])


class _Form(dict[str, list[str]]):
    """A form as Twilio's SDK reads it."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


@pytest.mark.parametrize(
    "url",
    [
        "https://nps.example/hooks/twilio/status/AQ-_x9",
        "https://nps.example:8443/hooks/twilio/inbound",
        "http://localhost:8000/a.b/",
        "https://nps.example/a?b=c&b=%C3%BC",
        "https://nps.example/%C3%BC",
        "https://nps.example",
        "HTTPS://nps.example/a",
    ],
)
@pytest.mark.parametrize("form", [{}, {"To": ["+49"]}, {"b": ["", "x", "x", "A"], "B": ["ü+ &"], "a": [""]}])
def test_the_check_of_a_form_is_that_of_twilios_sdk(url: str, form: dict[str, list[str]]) -> None:
    sdk, signed = RequestValidator("token"), _Form(form)
    addresses = {change(urlparse(url)) for change in (add_port, remove_port)}
    signatures = [sdk.compute_signature(address, signed) for address in sorted(addresses)]
    wrong = [sdk.compute_signature(f"{url}x", signed), signatures[0][:-2] + "=", "", "ü"]
    wrong += [RequestValidator("other").compute_signature(url, signed)]
    for signature in (*signatures, *wrong):
        verdict = is_from_twilio("token", url, form, signature)
        assert verdict is sdk.validate(url, signed, signature), signature
        assert verdict is (signature not in wrong)


def test_the_forms_of_the_vectors_hold_with_their_blank_values() -> None:
    found = sample("twilio", "forms")
    for vector in found["forms"].values():
        form = read_form(vector["raw_body"].encode())
        assert form == {name: [value] for name, value in vector["params"].items()}
        assert is_from_twilio(found["auth_token"], vector["url"], form, vector["X-Twilio-Signature"])
        dropped = parse_qs(vector["raw_body"])
        assert is_from_twilio(found["auth_token"], vector["url"], dropped, vector["X-Twilio-Signature"]) is (
            dropped == form
        )


@pytest.mark.parametrize(
    "body",
    ["", "&", "a", "a=", "=a", "a=b=c", "a=1&a=2&&a=1", "a+b=%2B+%C3%BC%&%c3=%ff", "&".join("ab" * 100)],
)
def test_a_form_is_read_as_the_standard_library_reads_it(body: str) -> None:
    assert read_form(body.encode()) == parse_qs(body, keep_blank_values=True, max_num_fields=200)


@pytest.mark.parametrize("body", [b"a=\xff", b"&" * 200])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(AppError, match="urlencoded form"):
        read_form(body)


@pytest.mark.parametrize(
    ("name", "status", "reasons"),
    [
        ("status_queued", MessageStatus.accepted, []),
        ("status_sent", MessageStatus.accepted, []),
        ("status_delivered", MessageStatus.delivered, []),
        ("status_undelivered_30003", MessageStatus.failed, []),
        ("status_failed_30034", MessageStatus.failed, []),
    ],
)
async def test_status_forms_of_the_vectors(
    context: AppContext, shop: Shop, client: AsyncClient, name: str, status: MessageStatus, reasons: list[str]
) -> None:
    params = sample("twilio", "forms")["forms"][name]["params"]
    message_id, attempt_id = await put(context, shop, "+15558675310", Channel.sms)
    path = "/hooks/twilio/status/" + context.tokens.link("attempt", shop.brand_id, attempt_id)
    body, headers = signed(PUBLIC + path, params)
    for _ in range(2):
        assert (await client.post(path, content=body, headers=headers)).status_code == 204
    assert await status_of(context, message_id) is status
    assert len(await stored_events(context)) == 1
    assert [reason for _, _, reason in await suppressed(context)] == reasons


@pytest.mark.parametrize(
    ("code", "status", "reasons"),
    [
        ("30005", "bounced", ["bounced"]),
        ("30006", "bounced", ["bounced"]),
        ("21610", "failed", ["stopped"]),
        ("30007", "failed", []),
    ],
)
async def test_a_failed_text_may_suppress_its_number(
    context: AppContext, shop: Shop, client: AsyncClient, code: str, status: str, reasons: list[str]
) -> None:
    message_id, attempt_id = await put(context, shop, "+15558675310", Channel.sms)
    text = Text(
        "SM" + "0" * 32,
        "+15558675310",
        "hi",
        f"{PUBLIC}/hooks/twilio/status/{context.tokens.link('attempt', shop.brand_id, attempt_id)}",
    )
    for text_status in ("undelivered", "sent"):
        path, body, headers = FakeTwilio().status(text, text_status, ErrorCode=code)
        assert (await client.post(path, content=body, headers=headers)).status_code == 204
    assert await status_of(context, message_id) == status
    assert [reason for _, _, reason in await suppressed(context)] == reasons


@pytest.mark.parametrize("change", ["token", "path", "body", "none", "unset"])
async def test_a_callback_without_a_valid_signature_is_refused(
    context: AppContext, shop: Shop, client: AsyncClient, change: str
) -> None:
    message_id, attempt_id = await put(context, shop, "+15558675310", Channel.sms)
    path = "/hooks/twilio/status/" + context.tokens.link("attempt", shop.brand_id, attempt_id)
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "ToCity": ""}
    body, headers = signed(
        PUBLIC + path if change != "path" else "http://inside:8000" + path,
        form,
        "x" if change == "token" else AUTH_TOKEN,
    )
    match change:
        case "body":
            body = urlencode({**form, "MessageStatus": "failed"}).encode()
        case "none":
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
        case "unset":
            context.settings.twilio_auth_token = None
    answer = await client.post(path, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert await status_of(context, message_id) is MessageStatus.sending


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"MessageSid": "SM1"},
        {"MessageStatus": "delivered"},
        {"MessageSid": "SM1", "MessageStatus": "dancing"},
    ],
)
async def test_an_empty_callback_is_ignored(client: AsyncClient, form: dict[str, str]) -> None:
    path = "/hooks/twilio/status/unknown"
    body, headers = signed(PUBLIC + path, form)
    assert (await client.post(path, content=body, headers=headers)).status_code == 204


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&".join(b"a=1" for _ in range(500))])
async def test_an_invalid_form_gets_a_clear_error(client: AsyncClient, body: bytes) -> None:
    answer = await client.post(INBOUND, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_form")


def reply(body: str, sender: str = "+15558675310", **more: str) -> tuple[bytes, dict[str, str]]:
    form = {
        "MessageSid": "SM1",
        "From": sender,
        "To": "+15005550006",
        "MessagingServiceSid": SERVICE,
        "Body": body,
        "ToCity": "",
        **more,
    }
    assert RequestValidator(AUTH_TOKEN).validate(
        PUBLIC + INBOUND, form, signed(PUBLIC + INBOUND, form)[1]["X-Twilio-Signature"]
    )
    return signed(PUBLIC + INBOUND, form)


async def test_stop_suppresses_for_every_brand_that_has_the_number(
    context: AppContext, shop: Shop, client: AsyncClient
) -> None:
    async with context.sessions.begin() as session:
        others = []
        for slug in ("other", "stranger"):
            brand = await add_brand(session, slug, name=slug)
            others.append(
                (await add_shop(session, context.tokens, brand, slug, name=slug, actor=cli_actor(brand.id)))[
                    0
                ]
            )
    await put(context, shop, "+15558675310", Channel.sms)
    await put(context, others[0], "+15558675310", Channel.sms)
    await put(context, others[1], "+15558675311", Channel.sms)
    body, headers = reply("Please stop!")
    for _ in range(2):
        answer = await client.post(INBOUND, content=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        assert answer.text.endswith("<Response/>")
    assert await suppressed(context) == [
        (shop.brand_id, Channel.sms, "stopped"),
        (others[0].brand_id, Channel.sms, "stopped"),
    ]


async def test_twilios_own_keyword_is_obeyed(context: AppContext, shop: Shop, client: AsyncClient) -> None:
    await put(context, shop, "+15558675310", Channel.sms)
    body, headers = reply("genug jetzt", OptOutType="HELP")
    await client.post(INBOUND, content=body, headers=headers)
    assert await suppressed(context) == []
    body, headers = reply("genug jetzt", OptOutType="STOP")
    await client.post(INBOUND, content=body, headers=headers)
    assert await suppressed(context) == [(shop.brand_id, Channel.sms, "stopped")]


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Bounced Address", FailureCause.invalid_address),
        ("Invalid", FailureCause.invalid_address),
        ("Unsubscribed Address", FailureCause.recipient_unsubscribed),
        ("spam reporting address ", FailureCause.recipient_complained),
        ("Invalid SMTPAPI header", None),
        (None, None),
    ],
)
def test_sendgrids_reasons_for_a_drop_become_our_causes(
    context: AppContext, reason: str | None, cause: FailureCause | None
) -> None:
    token = context.tokens.link("attempt", 1, uuid4())
    event = {"event": "dropped", "reason": reason, ATTEMPT_ARGUMENT: token, "sg_event_id": "1"}
    (parsed,) = read_events(context.tokens, orjson.dumps([event]), now=NOW)
    assert (parsed.kind, parsed.cause) == (ProviderEventKind.dropped, cause)


@pytest.mark.parametrize("text", ["ARRET", "BAJA", "ＳＴＯＰ"])
async def test_stop_is_read_in_peoples_languages(
    context: AppContext, shop: Shop, client: AsyncClient, text: str
) -> None:
    await put(context, shop, "+15558675310", Channel.sms)
    body, headers = reply(text)
    await client.post(INBOUND, content=body, headers=headers)
    assert await suppressed(context) == [(shop.brand_id, Channel.sms, "stopped")]


@pytest.mark.parametrize("extra", [{}, {"OptOutType": "START"}])
async def test_start_takes_back_a_stop_and_nothing_else(
    context: AppContext, shop: Shop, client: AsyncClient, extra: dict[str, str]
) -> None:
    await put(context, shop, "+15558675310", Channel.sms)
    async with context.sessions.begin() as session:
        for reason in (SuppressionReason.stopped, SuppressionReason.unsubscribed, SuppressionReason.bounced):
            await suppress(
                session, context.tokens, shop.brand_id, Channel.sms, ["+15558675310"], reason, now=NOW
            )
    for _ in range(2):
        body, headers = reply("hej" if extra else "START", **extra)
        await client.post(INBOUND, content=body, headers=headers)
    async with context.sessions() as session:
        rows = await session.scalars(select(Suppression).order_by(Suppression.reason))
        found = {row.reason: row.lifted_at is None for row in rows}
    assert found == {
        SuppressionReason.bounced: True,
        SuppressionReason.stopped: False,
        SuppressionReason.unsubscribed: True,
    }
    body, headers = reply("STOP")
    await client.post(INBOUND, content=body, headers=headers)
    assert len(await suppressed(context)) == 4, "a second stop is one more row of the history"


@pytest.mark.parametrize("text", ["10", "START", "9 never stop baking that bread"])
async def test_other_replies_suppress_no_number(
    context: AppContext, shop: Shop, client: AsyncClient, text: str
) -> None:
    await put(context, shop, "+15558675310", Channel.sms)
    body, headers = reply(text)
    assert (await client.post(INBOUND, content=body, headers=headers)).status_code == 200
    assert await suppressed(context) == []


async def test_an_unsigned_stop_is_refused(context: AppContext, shop: Shop, client: AsyncClient) -> None:
    await put(context, shop, "+15558675310", Channel.sms)
    body, _ = reply("STOP")
    assert (await client.post(INBOUND, content=body)).status_code == 401
    assert await suppressed(context) == []


def test_no_shop_has_the_name_of_a_providers_endpoints():
    paths = [route.path for each in PROVIDER_ROUTERS for route in each.routes]
    assert {path.split("/")[2] for path in paths if path.startswith("/hooks/")} == RESERVED_SLUGS
