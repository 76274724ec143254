"""E-mail by SendGrid: one call has up to 1,000 recipients with their own values and headers.

SendGrid gets an opaque attempt token for each message and returns it in every event. The SDK's
transport is not used: it opens a connection for each call and has no time limit.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NotRequired, TypedDict

import aiohttp
import orjson

from app.base import clock
from app.base.errors import Fault, Outcome, OutsideError
from app.base.http import of_exception, open_session, retry_wait
from app.base.tokens import Tokens
from app.brands.programme import Channel
from app.messaging.providers.protocol import Accepted, Content, OutgoingBatch, Recipient, Result
from app.messaging.render import fill

ATTEMPT_ARGUMENT = "tenfold_attempt"
"""The custom argument with the attempt token; prefixed, as SendGrid overwrites reserved names."""
RECIPIENTS_PER_CALL = 1_000
RECIPIENT_BYTES = 10_000
"""SendGrid's limit on one recipient's substitutions; quotation marks are counted here too."""
CALL_BYTES = 28_000_000
"""SendGrid's limit is 30 MB per request; the rest is for the content and the envelope."""
_CALLS_AT_ONCE = 8
_TOTAL_SECONDS = 60.0
_OPERATOR_ERRORS = {
    401: "the API key was not accepted",
    403: "the API key may not send",
    404: "wrong address",
    405: "wrong address",
}
"""Refusals of every message until the operator corrects a setting.

A 403 that names a field is about this message's sender."""


class _Address(TypedDict):
    email: str
    name: NotRequired[str]


class _Personalization(TypedDict):
    """The part of a request about one recipient."""

    to: list[_Address]
    custom_args: dict[str, str]
    headers: NotRequired[dict[str, str]]
    substitutions: NotRequired[dict[str, str]]


_MailSend = TypedDict(
    "_MailSend",
    {
        "from": _Address,
        "subject": str | None,
        "personalizations": list[_Personalization],
        "content": list[dict[str, str]],
        "tracking_settings": dict[str, dict[str, bool]],
        "mail_settings": NotRequired[dict[str, dict[str, bool]]],
    },
)
"""The body of a request."""


@dataclass
class _Call:
    """One request: its personalizations, and the places of their recipients in the batch."""

    places: list[int] = field(default_factory=list)
    people: list[_Personalization] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    size: int = 0

    def fits(self, address: str, size: int, budget: int) -> bool:
        return (
            len(self.people) < RECIPIENTS_PER_CALL
            and address not in self.addresses
            and self.size + size <= budget
        )

    def add(self, place: int, address: str, person: _Personalization, size: int) -> None:
        self.places.append(place)
        self.people.append(person)
        self.addresses.add(address)
        self.size += size


class SendGrid:
    """The `Provider` for e-mail. Create it in the running loop; `close` closes its connections."""

    name = "sendgrid"
    most = RECIPIENTS_PER_CALL

    def __init__(
        self,
        tokens: Tokens,
        *,
        api_key: str,
        base_url: str = "https://api.sendgrid.com",
        total_seconds: float = _TOTAL_SECONDS,
    ) -> None:
        self._tokens = tokens
        self._url = f"{base_url}/v3/mail/send"
        self._session = open_session(connections=32, total_seconds=total_seconds, trusted=True)
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._calls = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        """Send the batch in as few calls as the limits allow.

        All messages of one call have its outcome.
        """
        results: list[Result] = [OutsideError(Outcome.refused, "not sent")] * len(batch.recipients)
        calls = [(_body(batch, call.people), call.places) for call in self._shared(batch)]
        calls += [(body, [place]) for place, body in self._alone(batch)]
        outcomes = await asyncio.gather(*(self._post(body) for body, _ in calls))
        for (_, places), outcome in zip(calls, outcomes, strict=True):
            for place in places:
                results[place] = outcome
        return results

    async def check(self, sender: str) -> OutsideError | None:
        """Why a mail from this address could not be sent; None where SendGrid would take it.

        In SendGrid's sandbox mode, so nothing is sent.
        """
        person: _Personalization = {"to": [{"email": sender}], "custom_args": {}}
        batch = OutgoingBatch(0, Channel.email, "", sender, "", Content("Test", "Test"), [])
        body = _body(batch, [person])
        body["mail_settings"] = {"sandbox_mode": {"enable": True}}
        result = await self._post(body)
        return result if isinstance(result, OutsideError) else None

    async def close(self) -> None:
        """Close connections."""
        await self._session.close()

    def _shared(self, batch: OutgoingBatch) -> list[_Call]:
        budget = CALL_BYTES - len(
            orjson.dumps([batch.content.text, batch.content.html, batch.content.subject])
        )
        calls: list[_Call] = []
        for place, recipient in enumerate(batch.recipients):
            if _is_long(recipient):
                continue
            person = self._person(batch.brand_id, recipient)
            person["substitutions"] = dict(recipient.values)
            address, size = recipient.to.casefold(), len(orjson.dumps(person)) + 1
            call = next((call for call in calls if call.fits(address, size, budget)), None)
            if call is None:
                call = _Call()
                calls.append(call)
            call.add(place, address, person, size)
        return calls

    def _alone(self, batch: OutgoingBatch) -> Iterator[tuple[int, _MailSend]]:
        """Messages with longer values than SendGrid substitutes: a call each, filled in here."""
        for place, recipient in enumerate(batch.recipients):
            if _is_long(recipient):
                own = replace(batch, content=fill(batch.content, recipient.values))
                yield place, _body(own, [self._person(batch.brand_id, recipient)])

    def _person(self, brand_id: int, recipient: Recipient) -> _Personalization:
        person: _Personalization = {
            "to": [{"email": recipient.to}],
            "custom_args": {ATTEMPT_ARGUMENT: self._tokens.link("attempt", brand_id, recipient.attempt_id)},
        }
        if recipient.headers:
            person["headers"] = dict(recipient.headers)
        return person

    async def _post(self, body: _MailSend) -> Result:
        async with self._calls:
            try:
                async with self._session.post(
                    self._url, data=orjson.dumps(body), headers=self._headers, allow_redirects=False
                ) as response:
                    return await _outcome(response)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                return of_exception(error)


def _is_long(recipient: Recipient) -> bool:
    return len(orjson.dumps(dict(recipient.values))) > RECIPIENT_BYTES


def _body(batch: OutgoingBatch, people: Sequence[_Personalization]) -> _MailSend:
    content = [{"type": "text/plain", "value": batch.content.text}]
    if batch.content.html:
        content.append({"type": "text/html", "value": batch.content.html})
    sender: _Address = {"email": batch.sender}
    if batch.sender_name:
        sender["name"] = batch.sender_name
    return {
        "from": sender,
        "subject": batch.content.subject,
        "personalizations": list(people),
        "content": content,
        # Rewritten links would send every reader over another host, which opens links by itself.
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
    }


async def _outcome(response: aiohttp.ClientResponse) -> Result:
    status = response.status
    if 200 <= status < 300:
        return Accepted(response.headers.get("X-Message-Id"))
    if status == 429:
        wait = retry_wait(
            response.headers.get("Retry-After"),
            response.headers.get("X-RateLimit-Reset"),
            now=clock.now().timestamp(),
        )
        return OutsideError(
            Outcome.refused, "SendGrid: too many requests", retry_after=wait, fault=Fault.busy
        )
    if status >= 500 or status == 408:
        return OutsideError(Outcome.unknown, f"SendGrid: status {status}", fault=Fault.outage)
    return await _refusal(response)


async def _refusal(response: aiohttp.ClientResponse) -> OutsideError:
    """What a response between 300 and 499 proves, other than 408 and 429."""
    status = response.status
    if status < 400 or status in _OPERATOR_ERRORS:
        at_fault = await _faulty_field(response) if status == 403 else None
        if at_fault is not None:
            # The brand's sender is not verified; other brands' mail goes through.
            return OutsideError(Outcome.refused, f"SendGrid {status}: {at_fault}")
        reason = _OPERATOR_ERRORS.get(status, "unexpected status")
        return OutsideError(Outcome.refused, f"SendGrid {status}: {reason}", fault=Fault.access)
    reason = await _faulty_field(response) or "refused"
    return OutsideError(Outcome.refused, f"SendGrid {status}: {reason}", permanent=True)


async def _faulty_field(response: aiohttp.ClientResponse) -> str | None:
    """The name of the field at fault, or None where none is named.

    The error's own words may quote an address, so they are not stored.
    """
    try:
        field_name = orjson.loads(await response.read())["errors"][0]["field"]
    except (ValueError, LookupError, TypeError, aiohttp.ClientError, TimeoutError):
        return None
    known = (
        isinstance(field_name, str)
        and field_name.replace(".", "").replace("_", "").isalnum()
        and len(field_name) <= 80
    )
    return field_name if known else None
