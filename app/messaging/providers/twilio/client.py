"""Texts by Twilio: one call for each message, several open at once.

The SDK makes the calls over our own transport, since the SDK's ignores its time limit and sends a
POST again on 503. Twilio gets an opaque attempt token in the path of the status callback: any
callback proves that the text was accepted.
"""

import asyncio
import base64
import logging

import aiohttp
from twilio.base.exceptions import TwilioException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from app.base.errors import Fault, Outcome, OutsideError
from app.base.http import of_exception, open_session, retry_wait
from app.base.tokens import Tokens
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Recipient, Result
from app.messaging.providers.twilio.codes import OPTED_OUT
from app.messaging.render import fill
from app.messaging.rules import FailureCause, RecipientRefused

STATUS_PATH = "/hooks/twilio/status/"
"""Below the public URL; the attempt token follows."""
VALIDITY_SECONDS = 3600
"""How long a text may wait at Twilio. A text that is accepted in the last minute before the quiet
hours (20:00) then cannot be sent after 21:00, when most countries forbid it."""
_CALLS_AT_ONCE = 32
_TOTAL_SECONDS = 20.0
_AUTH = 20003
_TOO_MANY_STATUS = 429
_ACCOUNT_ERRORS = frozenset({21408, 21606, 21608})
"""400s that concern the account and not the number: the same text may be accepted later.

Region not enabled, sender cannot text, trial account.
"""
_SERVICE_ERRORS = frozenset({21703, 21704, 21705})
"""400s that concern our messaging service, and so every text: without senders, or not found."""
_QUEUE_FULL = 21611


class _Transport(AsyncHttpClient):  # type: ignore[misc]  # the SDK is untyped
    """The SDK's calls over our own session: with time limits, never repeated, not logged."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(logging.getLogger("twilio.http_client"), is_async=True)
        self._session = session

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109  # the session has limits of its own
        allow_redirects: bool = False,  # noqa: ARG002  # a redirected POST could be done twice
    ) -> Response:
        """One call, made once.

        Raises aiohttp's errors, and `OutsideError` for 429, whose Retry-After the SDK would drop.
        """
        sent = dict(headers or {})
        if auth is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        async with self._session.request(
            method, uri, params=_plain(params), data=_plain(data), headers=sent, allow_redirects=False
        ) as response:
            if response.status == _TOO_MANY_STATUS:
                wait = retry_wait(response.headers.get("Retry-After"), None, now=0.0)
                raise OutsideError(
                    Outcome.refused, "Twilio: too many requests", retry_after=wait, fault=Fault.busy
                )
            return Response(response.status, await response.text(errors="replace"), response.headers)


class Twilio:
    """The `Provider` for texts. Create it in the running loop; `close` closes its connections."""

    name = "twilio"
    most = 128

    def __init__(
        self,
        tokens: Tokens,
        *,
        account_sid: str,
        auth_token: str,
        messaging_service_sid: str,
        public_url: str,
        base_url: str = "https://api.twilio.com",
        total_seconds: float = _TOTAL_SECONDS,
    ) -> None:
        self._tokens = tokens
        self._service = messaging_service_sid
        self._status_url = public_url + STATUS_PATH
        self._session = open_session(connections=_CALLS_AT_ONCE, total_seconds=total_seconds, trusted=True)
        self._client = Client(account_sid, auth_token, http_client=_Transport(self._session))
        self._client.api.base_url = base_url
        self._calls = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        """Send each message by a call of its own; each has its own outcome."""
        return list(
            await asyncio.gather(*(self._send_one(batch, recipient) for recipient in batch.recipients))
        )

    async def check(self, _sender: str) -> OutsideError | None:
        """Why Twilio does not take the account's credentials; None where it does. Sends nothing."""
        try:
            await self._client.messages.list_async(limit=1, page_size=1)
        except OutsideError as error:
            return error
        except TwilioException as error:
            return _refusal(error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return of_exception(error)
        except (ValueError, LookupError, TypeError, AttributeError):
            return OutsideError(Outcome.unknown, "Twilio's response could not be read")
        return None

    async def close(self) -> None:
        """Close connections."""
        await self._session.close()

    async def _send_one(self, batch: OutgoingBatch, recipient: Recipient) -> Result:
        async with self._calls:
            try:
                message = await self._client.messages.create_async(
                    to=recipient.to,
                    messaging_service_sid=self._service,
                    body=fill(batch.content, recipient.values).text,
                    status_callback=self._status_url
                    + self._tokens.link("attempt", batch.brand_id, recipient.attempt_id),
                    validity_period=VALIDITY_SECONDS,
                )
                return Accepted(message.sid)
            except OutsideError as error:
                return error
            except TwilioException as error:
                return _refusal(error)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                return of_exception(error)
            except (ValueError, LookupError, TypeError, AttributeError):
                return OutsideError(Outcome.unknown, "Twilio's response could not be read")


def _plain(values: dict[str, object] | None) -> dict[str, str] | None:
    return None if values is None else {name: str(value) for name, value in values.items()}


def _refusal(error: TwilioException) -> OutsideError:
    """The outcome of an error response.

    Its own words are left out: they quote the number and the account.
    """
    status, code = getattr(error, "status", None), getattr(error, "code", None)
    if not isinstance(status, int) or status >= 500 or status == 408:
        return OutsideError(Outcome.unknown, f"Twilio: status {status}", fault=Fault.outage)
    if code == OPTED_OUT:
        return RecipientRefused(FailureCause.recipient_opted_out)
    if code == _AUTH or status in (401, 403):
        return OutsideError(
            Outcome.refused, "Twilio: the account's credentials were not accepted", fault=Fault.access
        )
    if code == _QUEUE_FULL:
        return OutsideError(Outcome.refused, f"Twilio error {code}", fault=Fault.busy)
    if code in _SERVICE_ERRORS or status < 400 or status in (404, 405):
        return OutsideError(Outcome.refused, f"Twilio error {code}", fault=Fault.access)
    permanent = status in (400, 422) and code not in _ACCOUNT_ERRORS
    return OutsideError(Outcome.refused, f"Twilio error {code}", permanent=permanent)
