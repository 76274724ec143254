"""Follow one trial order through the real path, and say what was decided about it and why.

The order is posted as a shop does it, and the response as a customer does. Between them nothing is
done here but waiting: web process and worker are those of the running installation.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from app.base import clock, money
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.fence import load_fence
from app.base.ids import new_id, public_id
from app.base.text import quoted
from app.brands.amount_rules import amount_in
from app.brands.find import load_programme, require_shop
from app.brands.models import Shop
from app.brands.programme import Channel, Programme
from app.cli import trial_rows
from app.cli.trial_client import post_order, post_response
from app.customers.contact import email_identity, phone_e164
from app.customers.find import find_customers
from app.customers.rules import TRIAL_SOURCE
from app.ingest.rules import DeliveryStatus
from app.messaging.models import Message
from app.referrals.share import find_share
from app.surveys.find import PURPOSE
from app.surveys.models import Survey
from app.surveys.rules import SkipReason, SurveyStatus

WAIT_SECONDS = 20.0
"""How long each step of the path is waited for."""
_PAUSE_SECONDS = 0.1
_TOTAL = Decimal(80)
T = TypeVar("T")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """Whose order is tried, in which shop, and where the installation runs."""

    shop: str
    email: str
    phone: str | None
    score: int | None
    url: str


@dataclass
class TrialResult:
    """What came of it; `complete` is False where a step of the path was not reached."""

    order: str
    complete: bool = False
    code: str | None = None
    decisions: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All of it, as the command prints it without a terminal."""
        return asdict(self)


def trial_order(shop: str, email: str, phone: str | None, score: int | None, *, url: str) -> TrialOrder:
    """Check what was entered. Raises `AppError` for an address or number that cannot be used."""
    if email_identity(email) is None:
        raise AppError("bad_email", f"{quoted(email)} is no e-mail address.")
    if phone is not None and phone_e164(phone, []) is None:
        raise AppError("bad_phone", "Give the number with its country's prefix, such as +49 170 1234567.")
    return TrialOrder(shop, email, phone, score, url.rstrip("/"))


async def follow(context: AppContext, order: TrialOrder, say: Say) -> TrialResult:
    """Post the order and follow it; `say` gets each decision as it is made.

    Raises `AppError` where there is no such shop, nothing runs at the address, or nothing works on
    what was stored.
    """
    async with context.sessions() as session:
        brand, shop = await require_shop(session, order.shop)
        if await load_fence(session) is not None:
            raise AppError("fenced", "The database was restored, so nothing is sent; run: tenfold recover")
        known = await find_customers(session, brand.id, email=order.email, phone=order.phone)
        programme = (await load_programme(session, brand.id)).programme
    path = _Path(context, order, shop, say)
    await path.post(programme, known)
    survey = await path.wait_for_survey()
    if survey is not None and await path.wait_for_message(survey) and order.score is not None:
        await path.respond(survey, order.score)
        async with context.sessions() as session:
            now, url = clock.now(), context.settings.public_url
            share = survey.customer_id and await find_share(session, url, brand, survey.customer_id, now=now)
        if share:
            path.show_share(share.referrer_id, share.share_url, share.code)
    return path.result


class _Path:
    """One trial on its way."""

    def __init__(self, context: AppContext, order: TrialOrder, shop: Shop, say: Say) -> None:
        self._context, self._order, self._shop, self._say = context, order, shop, say
        self._id = f"trial-{new_id().hex[-10:]}"
        self._seen: set[tuple[datetime, str]] = set()
        self.result = TrialResult(self._id)

    async def post(self, programme: Programme, known: Collection[UUID]) -> None:
        """Post the signed order of a person who is these customers already, or new."""
        for customer_id in known:
            self._seen.update(
                await trial_rows.decisions_about(self._context, self._shop.brand_id, customer_id)
            )
        unknown = await trial_rows.find_unknown_consents(self._context, self._shop.brand_id, known)
        body = _body(self._id, self._order, programme, self._shop.currency, unknown)
        secret = self._context.tokens.open(self._shop.sealed_secrets[0])
        seconds = await post_order(self._order.url, self._shop.slug, secret, self._id, body)
        self._report([f"{self._order.url} stored the order {self._id} after {_ms(seconds)}."])

    async def wait_for_survey(self) -> Survey | None:
        """The survey once its message is queued; None where it is skipped or nobody takes it up.

        Raises `AppError` (`not_processed`) where the order is not processed.
        """
        find = trial_rows.find_survey
        survey = await _until(lambda: find(self._context, self._shop, self._id))
        if survey is None:
            raise AppError("not_processed", await self._why_not_processed())
        survey = await _until(lambda: find(self._context, self._shop, self._id, is_decided=True)) or survey
        if survey.customer_id is not None:
            person = public_id("cus", survey.customer_id)
            self.result.links["person"] = self._link(f"/admin/customers/{person}")
        if survey.status is SurveyStatus.skipped:
            await self._report_about(survey.customer_id)
            self._report([_HINTS[survey.reason]] if survey.reason in _HINTS else [])
            return None
        if survey.status is SurveyStatus.planned:
            await self._report_about(survey.customer_id)
            self._report(["The survey is due, but no worker takes it up; see: tenfold doctor"])
            return None
        return survey

    async def _why_not_processed(self) -> str:
        delivery = await trial_rows.find_delivery(self._context, self._shop, self._id)
        if delivery is None:
            return (
                f"What runs at {self._order.url} stored the order in another database; check --url,"
                " TENFOLD_DATABASE_URL and TENFOLD_HOME."
            )
        if delivery.status is DeliveryStatus.new:
            return (
                f"The order was stored, and no worker has processed it in {WAIT_SECONDS:.0f} seconds."
                " Start one with: tenfold worker"
            )
        return f"The order was stored, but could not be processed: {delivery.reason or delivery.status}"

    async def wait_for_message(self, survey: Survey) -> bool:
        """Whether the survey was handed to a provider, or kept by the outbox."""
        message = await _until(lambda: trial_rows.find_message(self._context, survey))
        await self._report_about(survey.customer_id)
        if message is None:
            self._report([f"It was not sent in {WAIT_SECONDS:.0f} seconds; see: tenfold doctor"])
            return False
        self.result.links["survey"] = self._link(f"/s/{self._token(survey)}")
        await self._show_outbox(message)
        self.result.complete = message.sent_at is not None
        return self.result.complete

    async def _show_outbox(self, message: Message) -> None:
        kept = await trial_rows.find_outbox_item(self._context, message)
        if kept is not None:
            self.result.links["outbox"] = self._link(f"/outbox/{public_id('att', kept)}")
            self._report(["No provider is set: the outbox keeps it, and nothing left the machine."])

    async def respond(self, survey: Survey, score: int) -> None:
        """Respond to the survey as its customer, and report what followed."""
        seconds = await post_response(self._order.url, self._token(survey), score)
        self._report([f"The response {score} was recorded after {_ms(seconds)}."])
        customer_id = survey.customer_id
        if customer_id is not None:
            await _until(
                lambda: trial_rows.offers_are_sent(
                    self._context, survey.brand_id, customer_id, now=clock.now()
                )
            )
        await self._report_about(customer_id)

    def show_share(self, referrer_id: UUID, share_url: str, code: str | None) -> None:
        """Add what the person may share."""
        self.result.code = code
        token = self._context.tokens.link("referrer", self._shop.brand_id, referrer_id)
        self.result.links |= {"friends_page": share_url, "referrers_page": self._link(f"/p/{token}")}

    async def _report_about(self, customer_id: UUID | None) -> None:
        """Report what was decided about the person since the last time; nobody needs no words."""
        if customer_id is None:
            return
        decisions = await trial_rows.decisions_about(self._context, self._shop.brand_id, customer_id)
        self._report(text for at, text in decisions if (at, text) not in self._seen)
        self._seen.update(decisions)

    def _report(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            self.result.decisions.append(sentence)
            self._say(sentence)

    def _token(self, survey: Survey) -> str:
        return self._context.tokens.link(PURPOSE, survey.brand_id, survey.id)

    def _link(self, path: str) -> str:
        return self._context.settings.public_url + path


def _body(
    order_id: str, order: TrialOrder, programme: Programme, currency: str, unknown: Collection[Channel]
) -> dict[str, Any]:
    """The order's body. Whoever gives their own address agrees; what they decided before stays."""
    below, now = programme.survey.exclude.below_total, clock.now().isoformat()
    least = None if below is None else amount_in(below, currency)
    total = money.to_text(money.parse_rounded(max(_TOTAL, least or _TOTAL), currency), currency)
    consents = {f"{channel}_consent": {"state": True, "source": TRIAL_SOURCE} for channel in unknown}
    data = {
        "id": order_id,
        "trial": True,
        "currency": currency,
        "subtotal": total,
        "total": total,
        "placed_at": now,
        "customer": {"email": order.email, "phone": order.phone, **consents},
        "items": [{"title": "Trial order", "quantity": 1, "unit_price": total}],
    }
    return {"type": "order.paid", "timestamp": now, "data": data}


_HINTS: dict[SkipReason | None, str] = {
    SkipReason.surveys_disabled: (
        "Switch surveys on in the programme (surveys_enabled, starts_at, ends_at): PATCH /api/v1/programme"
    ),
    SkipReason.unsubscribed: (
        "This address gets nothing any more, and an order cannot change that; the person's page says why."
        " Try another address."
    ),
    SkipReason.no_consent: "This person refused before, and a trial leaves that as it is. Try another address.",
    SkipReason.no_address: (
        "The programme's channels cannot reach this person: see survey.channels of GET /api/v1/programme."
    ),
    SkipReason.excluded: (
        "The programme leaves such orders out: see survey.exclude of GET /api/v1/programme; relays and no-reply"
        " addresses are among them."
    ),
}
"""What to do about it, by the reason why the survey is not sent."""


async def _until(check: Callable[[], Awaitable[T | None]]) -> T | None:
    """What `check` returns first that is not None; None after `WAIT_SECONDS`."""
    ends_at = clock.monotonic() + WAIT_SECONDS
    # The rows are another process's, so there is nothing to wait for.
    while (found := await check()) is None and clock.monotonic() < ends_at:  # noqa: ASYNC110
        await asyncio.sleep(_PAUSE_SECONDS)
    return found


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
