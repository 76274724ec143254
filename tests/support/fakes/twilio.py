"""A strict fake of Twilio's Messages resource: limits, error codes, signed callbacks and
replies."""

import base64
import hashlib
import hmac
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import web

from tests.support.fakes.server import Call, FakeProvider, Fault

ACCOUNT = "AC" + "0" * 32
AUTH_TOKEN = "a token for tests alone"
SERVICE = "MG" + "1" * 32
KNOWN = {"To", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod"}
"""The parameters we send; any other is an error of ours."""
MAGIC = {"+15005550001": 21211, "+15005550009": 21614, "+15005550004": 21610}


@dataclass
class Text:
    """One text message as delivered."""

    sid: str
    to: str
    body: str
    callback: str
    reported: set[str] = field(default_factory=set)


class FakeTwilio(FakeProvider):
    spec = "twilio_messages.json"

    def __init__(self, fault_of: Callable[[int], Fault | None] | None = None) -> None:
        super().__init__(fault_of)
        self.texts: list[Text] = []
        self.stopped: set[str] = set()
        self._numbers = itertools.count(1)

    def error_response(self, status: int) -> web.Response:
        code = {400: 21211, 401: 20003, 429: 20429, 500: 20500, 404: 20404}[status]
        return _error(status, code)

    def respond(self, request: web.Request, call: Call) -> web.Response:
        login = base64.b64encode(f"{ACCOUNT}:{AUTH_TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {login}":
            return self.error_response(401)
        messages = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        if (request.method, call.path) == ("GET", messages):
            return web.json_response({"messages": [], "next_page_uri": None})
        if (request.method, call.path) != ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"):
            return self.error_response(404)
        form = {
            name: values[0] for name, values in parse_qs(call.body.decode(), keep_blank_values=True).items()
        }
        code = next(iter(self._violations(form)), None)
        if code is not None:
            return _error(400, code)
        text = Text(f"SM{next(self._numbers):032x}", form["To"], form["Body"], form["StatusCallback"])
        self.texts.append(text)
        return web.json_response(_resource(text), status=201)

    def _violations(self, form: dict[str, str]) -> Iterable[int]:
        if form.keys() - KNOWN:
            yield 20001
        if not re.fullmatch(r"MG[0-9a-fA-F]{32}", form.get("MessagingServiceSid", "")):
            yield 21703
        if not re.fullmatch(r"\+[1-9]\d{6,14}", form.get("To", "")):
            yield 21211
        if form.get("To") in MAGIC:
            yield MAGIC[form["To"]]
        if form.get("To") in self.stopped:
            yield 21610
        if not form.get("Body"):
            yield 21602
        if len(form.get("Body", "")) > 1600:
            yield 21617
        callback = urlsplit(form.get("StatusCallback", ""))
        if (
            callback.scheme not in ("http", "https")
            or not callback.hostname
            or "_" in callback.hostname
            or callback.query
        ):
            yield 21609
        if not 1 <= int(form.get("ValidityPeriod", "36000")) <= 36_000:
            yield 35113

    def status(self, text: Text, status: str, **more: str) -> tuple[str, bytes, dict[str, str]]:
        """A status callback: path, body and headers as Twilio would send them."""
        form = {
            "ApiVersion": "2010-04-01",
            "MessageStatus": status,
            "SmsSid": text.sid,
            "SmsStatus": status,
            "To": text.to,
            "From": "+15005550006",
            "MessageSid": text.sid,
            "AccountSid": ACCOUNT,
            "MessagingServiceSid": SERVICE,
            **more,
        }
        return urlsplit(text.callback).path, *signed(text.callback, form)

    def unreported(self, *statuses: str) -> list[tuple[str, bytes, dict[str, str]]]:
        """Each status of each text once."""
        found = []
        for text in self.texts:
            new = [status for status in statuses if status not in text.reported]
            text.reported.update(new)
            found += [self.status(text, status) for status in new]
        return found


def signed(url: str, form: dict[str, str], token: str = AUTH_TOKEN) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request to a public URL, signed by hand as the documentation says."""
    signed_text = url + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(
        hmac.new(token.encode(), signed_text.encode(), hashlib.sha1).digest()
    ).decode()
    headers = {
        "X-Twilio-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    return urlencode(form).encode(), headers


def _error(status: int, code: int) -> web.Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return web.json_response(
        {
            "code": code,
            "message": f"Something about +15551234567 ({code})",
            "more_info": more,
            "status": status,
        },
        status=status,
    )


def _resource(text: Text) -> dict[str, object]:
    return {
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": text.body,
        "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
        "date_sent": None,
        "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": None,
        "messaging_service_sid": SERVICE,
        "num_media": "0",
        "num_segments": "0",
        "price": None,
        "price_unit": None,
        "sid": text.sid,
        "status": "accepted",
        "subresource_uris": {},
        "to": text.to,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{text.sid}.json",
    }
