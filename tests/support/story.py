"""What a story needs: a shop that sends webhooks, customers who read their mail, and a clock moved
by hand."""

import base64
import hmac
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import select
from standardwebhooks import Webhook

from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base import clock, due
from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.models import Brand
from app.brands.programme import Channel
from app.insight.invariants import check
from app.messaging.models import OutboxItem
from app.messaging.providers.outbox.client import Outbox
from app.messaging.providers.protocol import Provider
from app.wiring import Parts
from app.worker import sweeps_of
from tests.support.apps import whole_app
from tests.support.constants import SECRET
from tests.support.factories.programme import set_terms


class Story:
    """The whole application from outside: its webhook endpoints, pages, messages and API."""

    def __init__(
        self,
        context: AppContext,
        brand: Brand,
        client: AsyncClient,
        key: str,
        providers: Mapping[Channel, Provider] | None = None,
    ) -> None:
        self.context = context
        self.brand = brand
        self.client = client
        self.key = key
        self._parts = Parts(context, providers or {channel: Outbox(context) for channel in Channel})
        self._deliveries = 0
        self._repeated: dict[str, str] = {}

    async def terms(self, **terms: Any) -> None:
        """Put terms in force; what is left out takes its default."""
        await set_terms(self.context, self.brand, terms)

    async def deliver(
        self, topic: str, data: dict[str, Any], *, delivery: str | None = None, secret: str = SECRET
    ) -> Response:
        """The shop makes one delivery; the same `delivery` id means the same one again."""
        self._deliveries += 1
        made = json.dumps({"type": topic, "timestamp": clock.now().isoformat(), "data": data})
        raw = made if delivery is None else self._repeated.setdefault(delivery, made)
        return await self.client.post(
            "/hooks/acme/checkout", content=raw, headers=self.signed(raw, delivery, secret)
        )

    async def shopify(self, topic: str, body: dict[str, Any]) -> None:
        """Shopify makes one delivery, signed with the shop's secret; it is acknowledged."""
        self._deliveries += 1
        raw = json.dumps(body).encode()
        headers = {
            "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(SECRET.encode(), raw, "sha256")).decode(),
            "X-Shopify-Topic": topic,
            "X-Shopify-Webhook-Id": f"shopify-{self._deliveries}",
        }
        response = await self.client.post("/hooks/acme/shopify", content=raw, headers=headers)
        assert response.status_code == 200, response.text

    def signed(self, raw: str, delivery: str | None = None, secret: str = SECRET) -> dict[str, str]:
        """The headers of a delivery."""
        delivery_id, now = delivery or f"delivery-{self._deliveries}", clock.now()
        return {
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(delivery_id, now, raw),
        }

    async def at(self, now: datetime) -> dict[str, int]:
        """Do all that is due at a time."""
        return await due.run_until_idle(sweeps_of(self._parts), now)

    async def mails(self, to: str) -> list[OutboxItem]:
        """What lies in somebody's mailbox, oldest first."""
        async with self.context.sessions() as session:
            return list(
                await session.scalars(select(OutboxItem).where(OutboxItem.to == to).order_by(OutboxItem.id))
            )

    async def api(self, path: str, **query: str) -> Any:
        """The body of an API response; of a list, its rows."""
        response = await self.client.get(
            f"/api/v1{path}", params=query, headers={"Authorization": f"Bearer {self.key}"}
        )
        assert response.status_code == 200, response.text
        body = response.json()
        return body["data"] if isinstance(body, dict) and "data" in body else body

    async def post_api(
        self, path: str, body: dict[str, Any], *, key: str | None = None, once: str | None = None
    ) -> Response:
        """A write through the API, with another `key` or with `once` as its Idempotency-Key."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        if once is not None:
            headers["Idempotency-Key"] = once
        return await self.client.post(f"/api/v1{path}", json=body, headers=headers)

    async def promoter(
        self, order: dict[str, Any], *, delivered_at: datetime, asked_at: datetime, score: int = 9
    ) -> str:
        """A customer orders, gets the survey and responds. Returns the code in their offer."""
        await self.deliver("order.paid", order)
        await self.deliver("order.delivered", {"order_id": order["id"], "at": delivered_at.isoformat()})
        await self.at(asked_at)
        survey = (await self.mails(order["customer"]["email"]))[-1]
        response = await self.client.post(survey_link(survey), data={"score": str(score)})
        assert response.status_code == 303, response.text
        await self.at(asked_at)
        codes = await self.api("/codes")
        offer = (await self.mails(order["customer"]["email"]))[-1]
        return next(code["code"] for code in codes if code["code"] in offer.text)

    async def balance(self) -> dict[str, Decimal]:
        """What each account of the ledger comes to."""
        accounts: dict[str, Decimal] = {}
        for entry in await self.api("/ledger"):
            accounts[entry["account"]] = accounts.get(entry["account"], Decimal(0)) + Decimal(entry["amount"])
        return accounts


@asynccontextmanager
async def open_story(
    context: AppContext, brand: Brand, providers: Mapping[Channel, Provider] | None = None
) -> AsyncIterator[Story]:
    """Open the application for a story, by default with the outbox as every provider.

    At its end every invariant must hold.
    """
    async with context.sessions.begin() as session:
        key = await add_key(session, brand.id, list(Scope), actor=cli_actor(brand.id))
    app = whole_app(context)
    async with AsyncClient(transport=ASGITransport(app=app), base_url=context.settings.public_url) as client:
        yield Story(context, brand, client, key, providers)
    async with context.sessions() as session:
        assert await check(session, context.tokens) == []


def an_order(
    number: int, at: datetime, *, email: str | None = "ana@example.com", **more: Any
) -> dict[str, Any]:
    """An order of 80.00 as the shop reports it; the customer may be contacted by e-mail."""
    customer = {
        "id": f"buyer-{email}",
        "email": email,
        "first_name": "Ana",
        "country": "FR",
        "locale": "en",
        "time_zone": "Europe/Paris",
        "email_consent": True,
        **more.pop("customer", {}),
    }
    return {
        "id": f"order-{number}",
        "number": f"{1000 + number}",
        "placed_at": at.isoformat(),
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "80.00",
        "discount_total": "0.00",
        "customer": customer,
        "items": [{"sku": "S1", "title": "Linen shirt", "quantity": 1, "unit_price": "80.00"}],
        **more,
    }


def with_code(order: dict[str, Any], code: str) -> dict[str, Any]:
    """The same order, with a code that takes ten percent off."""
    return {**order, "discount_codes": [code], "discount_total": "8.00", "total": "72.00"}


def survey_link(mail: OutboxItem) -> str:
    """The link to the survey in a mail, without a score."""
    found = re.search(r"https?://\S+/s/[\w-]+", mail.text)
    assert found, mail.text
    return found.group()


def link_to(page: str, mail: OutboxItem) -> str:
    """The link to a page (`p`, `r`, `u`) in a mail."""
    found = re.search(rf"https?://\S+/{page}/[\w-]+", mail.text)
    assert found, mail.text
    return found.group()
