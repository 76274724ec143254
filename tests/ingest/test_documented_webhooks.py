"""Every example that OpenAPI shows of an incoming webhook is accepted and used by the program."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from pydantic import SecretStr
from sqlalchemy import select

from app.base.actor import cli_actor
from app.brands.add import add_shop
from app.brands.programme import Channel
from app.brands.rules import Platform
from app.customers.models import Suppression
from app.ingest.rules import DeliveryStatus
from app.messaging.models import Message
from app.messaging.rules import MessageStatus
from app.platforms.checkout.parse import _READERS
from app.platforms.registry import PLATFORMS
from tests.support.apps import openapi_document, whole_app
from tests.support.constants import NOW
from tests.support.fakes.sendgrid import FakeSendGrid
from tests.support.fakes.sent import put_message
from tests.support.fakes.twilio import AUTH_TOKEN, signed
from tests.support.story import Story, open_story

PUBLIC = "https://tenfold.example"
PLATFORM_SECRET = "a shared secret of sixteen"


def request_of(path: str) -> dict[str, Any]:
    """The documented operation of a webhook endpoint."""
    return openapi_document()["paths"][path]["post"]


def examples_of(path: str) -> dict[str, Any]:
    """The documented examples of an endpoint, by name."""
    (content,) = request_of(path)["requestBody"]["content"].values()
    return {name: example["value"] for name, example in content["examples"].items()}


@pytest.fixture
async def story(context, brand, shop) -> Story:
    async with open_story(context, brand) as story:
        yield story


@pytest.fixture
async def client(context):
    context.settings.public_url = PUBLIC
    context.settings.twilio_auth_token = SecretStr(AUTH_TOKEN)
    app = whole_app(context)
    async with AsyncClient(transport=ASGITransport(app=app), base_url=PUBLIC) as client:
        yield client


def test_every_type_of_a_checkout_has_an_example():
    assert set(examples_of("/hooks/{shop}/checkout")) == set(_READERS)


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
def test_every_platform_documents_headers_and_examples_that_fit_its_body(platform):
    documentation = PLATFORMS[platform].documentation
    operation = request_of(f"/hooks/{{shop}}/{platform}")
    headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
    assert headers == set(documentation.headers)
    assert documentation.examples
    for example in documentation.examples.values():
        documentation.body.model_validate(example.body)


async def test_every_checkout_example_is_processed(story):
    examples = examples_of("/hooks/{shop}/checkout")
    for kind, body in examples.items():
        raw = json.dumps(body)
        response = await story.client.post(
            "/hooks/acme/checkout", content=raw, headers=story.signed(raw, kind)
        )
        assert (response.status_code, response.json()) == (200, {"received": True})
    await story.at(NOW)
    deliveries = await story.api("/deliveries")
    assert {each["topic"]: (each["status"], each["reason"]) for each in deliveries} == dict.fromkeys(
        examples, (DeliveryStatus.processed.value, None)
    )


Signer = Callable[[bytes], Mapping[str, str]]
"""The headers by which a platform signs a body, with `PLATFORM_SECRET`."""


def by_body(header: str) -> Signer:
    """The base64 of HMAC-SHA256 over the body, in this header."""

    def sign(raw: bytes) -> Mapping[str, str]:
        digest = hmac.digest(PLATFORM_SECRET.encode(), raw, "sha256")
        return {header: base64.b64encode(digest).decode()}

    return sign


DELIVERED: Mapping[str, tuple[Signer, DeliveryStatus, list[str]]] = {
    "shopify": (by_body("X-Shopify-Hmac-Sha256"), DeliveryStatus.processed, ["#1042"]),
    "woocommerce": (by_body("X-WC-Webhook-Signature"), DeliveryStatus.processed, ["1042"]),
}
"""How the examples of a platform are signed, their outcome, and the numbers of their orders.
A signature with a time is checked against the clock of this machine. Where deliveries only name
what changed they are `failed`: the shop is not connected."""


@pytest.mark.parametrize("platform", sorted(PLATFORMS.keys() - {"checkout"}))
async def test_every_example_of_a_platform_is_delivered(story, context, brand, platform):
    assert platform in DELIVERED, "DELIVERED must say how its examples are signed"
    sign, status, numbers = DELIVERED[platform]
    async with context.sessions.begin() as session:
        await add_shop(
            session,
            context.tokens,
            brand,
            "boutique",
            name="Boutique",
            platform=Platform(platform),
            webhook_secret=PLATFORM_SECRET,
            actor=cli_actor(brand.id),
        )
    examples = PLATFORMS[platform].documentation.examples
    for example in examples.values():
        raw = json.dumps(example.body).encode()
        headers = {**example.headers, **sign(raw)}
        response = await story.client.post(f"/hooks/boutique/{platform}", content=raw, headers=headers)
        assert response.status_code == 200
    await story.at(NOW)
    deliveries = await story.api("/deliveries", shop="boutique")
    assert {each["topic"]: each["status"] for each in deliveries} == dict.fromkeys(examples, status.value)
    assert [order["number"] for order in await story.api("/orders")] == numbers


async def test_sendgrids_example_is_used(context, shop, client):
    fake = FakeSendGrid()
    context.settings.sendgrid_event_public_key = fake.public_key
    async with context.sessions.begin() as session:
        _, (attempt_id,) = await put_message(session, shop, "ana@example.com", now=NOW)
    (example,) = examples_of("/hooks/sendgrid/events")["delivered"]
    event = example | {"tenfold_attempt": context.tokens.link("attempt", shop.brand_id, attempt_id)}
    body, headers = fake.signed([event])
    documented = {each["name"] for each in request_of("/hooks/sendgrid/events")["parameters"]}
    assert documented <= set(headers)
    response = await client.post("/hooks/sendgrid/events", content=body, headers=headers)
    assert (response.status_code, response.json()) == (200, {"received": True})
    async with context.sessions() as session:
        assert await session.scalar(select(Message.status)) is MessageStatus.delivered


async def test_twilios_status_example_is_used(context, shop, client):
    async with context.sessions.begin() as session:
        _, (attempt_id,) = await put_message(session, shop, "+4915112345678", now=NOW, channel=Channel.sms)
    path = f"/hooks/twilio/status/{context.tokens.link('attempt', shop.brand_id, attempt_id)}"
    body, headers = signed(PUBLIC + path, examples_of("/hooks/twilio/status/{attempt}")["delivered"])
    (header,) = request_of("/hooks/twilio/status/{attempt}")["parameters"][1:]
    assert header["name"] in headers
    response = await client.post(path, content=body, headers=headers)
    assert response.status_code == 204
    async with context.sessions() as session:
        assert await session.scalar(select(Message.status)) is MessageStatus.delivered


async def test_twilios_reply_example_stops_texts(context, shop, client):
    async with context.sessions.begin() as session:
        await put_message(session, shop, "+4915112345678", now=NOW, channel=Channel.sms)
    path = "/hooks/twilio/inbound"
    body, headers = signed(PUBLIC + path, examples_of(path)["stop"])
    response = await client.post(path, content=body, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    async with context.sessions() as session:
        assert await session.scalar(select(Suppression.channel)) is Channel.sms
