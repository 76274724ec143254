"""A strict fake of SendGrid's Mail Send and Event Webhook: limits, substitution, signed events."""

import base64
import itertools
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.fakes.server import Call, FakeProvider, Fault

KEY = "SG.a-key-for-tests.of-no-worth"
FORBIDDEN_HEADERS = {
    "x-sg-id",
    "x-sg-eid",
    "received",
    "dkim-signature",
    "content-type",
    "content-transfer-encoding",
    "to",
    "from",
    "subject",
    "reply-to",
    "cc",
    "bcc",
}
RESERVED_ARGUMENTS = {
    "email",
    "event",
    "timestamp",
    "url",
    "type",
    "status",
    "reason",
    "response",
    "attempt",
    "category",
    "ip",
}
TOP_LEVEL = {
    "from",
    "reply_to",
    "subject",
    "personalizations",
    "content",
    "tracking_settings",
    "categories",
    "custom_args",
    "headers",
    "mail_settings",
}
MOST_BYTES = 30 * 1024 * 1024
MOST_NESTED = 4


@dataclass
class Mail:
    """One recipient's e-mail as delivered."""

    to: str
    sender: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    arguments: dict[str, str]
    message_id: str
    reported: set[str] = field(default_factory=set)


class FakeSendGrid(FakeProvider):
    spec = "sendgrid_mail_send.json"

    def __init__(self, fault_of: Callable[[int], Fault | None] | None = None) -> None:
        super().__init__(fault_of)
        self.mail: list[Mail] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._numbers = itertools.count(1)

    @property
    def public_key(self) -> str:
        """As SendGrid's settings page shows it: base64 of the SPKI."""
        spki = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(spki).decode()

    def error_response(self, status: int) -> web.Response:
        words = {
            400: "invalid request for someone@example.com",
            401: "authorization required",
            429: "too many requests",
        }
        error = {
            "message": words.get(status, "internal server error"),
            "field": "personalizations.0.to.0.email" if status == 400 else None,
        }
        headers = {"X-RateLimit-Reset": str(int(time.time()) + 7)} if status == 429 else {}
        return web.json_response({"errors": [error]}, status=status, headers=headers)

    def respond(self, request: web.Request, call: Call) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return self.error_response(401)
        if (request.method, call.path) != ("POST", "/v3/mail/send"):
            return self.error_response(404)
        if len(call.body) > MOST_BYTES:
            return self.error_response(413)
        body = json.loads(call.body)
        wrong = list(violations(body))
        if wrong:
            return web.json_response(
                {"errors": [{"message": words, "field": where} for where, words in wrong]}, status=400
            )
        if body.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return web.Response(status=200)
        message_id = f"fake{next(self._numbers):018d}"
        self.mail += [_mail(body, person, message_id) for person in body["personalizations"]]
        return web.Response(status=202, headers={"X-Message-Id": message_id})

    def events(self, *names: str, of: Sequence[Mail] | None = None, **more: Any) -> list[dict[str, Any]]:
        """The events of these types for all accepted mails, with the arguments of each."""
        return [
            {
                "email": mail.to,
                "timestamp": int(time.time()),
                "smtp-id": f"<{mail.message_id}@ismtpd0001.example>",
                "event": name,
                "sg_event_id": base64.urlsafe_b64encode(f"{name}-{next(self._numbers)}".encode())
                .decode()
                .rstrip("="),
                "sg_message_id": f"{mail.message_id}.recvd-7c9d-1-6900ABCD-5.0",
                **mail.arguments,
                **more,
            }
            for mail in (self.mail if of is None else of)
            for name in names
        ]

    def unreported(self, *names: str) -> list[dict[str, Any]]:
        """As `events`, each type of each mail once."""
        found = []
        for mail in self.mail:
            new = [name for name in names if name not in mail.reported]
            mail.reported.update(new)
            found += self.events(*new, of=[mail])
        return found

    def signed(self, events: Iterable[dict[str, Any]]) -> tuple[bytes, dict[str, str]]:
        """A request as SendGrid makes it: one event a line, `<` escaped, the last line end signed
        too."""
        lines = [json.dumps(event, separators=(",", ":")).replace("<", "\\u003c") for event in events]
        body = ("[" + ",\r\n".join(lines) + "]\r\n").encode()
        timestamp = str(int(time.time()))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return body, {
            "Content-Type": "application/json",
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        }


def violations(body: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Everything that SendGrid refuses or would deliver wrongly."""
    for name in body.keys() - TOP_LEVEL:
        yield name, "unknown field"
    people = body.get("personalizations") or []
    if not 1 <= len(people) <= 1000:
        yield "personalizations", "between 1 and 1000 are allowed"
    addresses = [to["email"].casefold() for person in people for to in person.get("to", [])]
    if len(addresses) > 1000:
        yield "personalizations", "more than 1000 recipients"
    if len(set(addresses)) != len(addresses):
        yield "personalizations", "each unique email address should only be included once"
    if any("@" not in address for address in addresses):
        yield "personalizations.to.email", "does not contain a valid address"
    if not body.get("from", {}).get("email"):
        yield "from", "required"
    if not body.get("subject"):
        yield "subject", "required"
    kinds = [part.get("type") for part in body.get("content", [])]
    if kinds not in (["text/plain"], ["text/plain", "text/html"]):
        yield "content", "text/plain comes first, then text/html"
    if any(not part.get("value") for part in body.get("content", [])):
        yield "content.value", "must be a string at least one character in length"
    for person in people:
        yield from _person_violations(person, body)


def _person_violations(person: dict[str, Any], body: dict[str, Any]) -> Iterable[tuple[str, str]]:
    if len(person.get("to", [])) != 1:
        yield "to", "one person each"
    for name, value in person.get("headers", {}).items():
        if (
            name.casefold() in FORBIDDEN_HEADERS
            or not isinstance(value, str)
            or "\n" in value
            or not value.isascii()
        ):
            yield "headers", f"{name} may not be set so"
    substitutions = person.get("substitutions", {})
    if sum(len(tag.encode()) + len(str(value).encode()) for tag, value in substitutions.items()) > 10_000:
        yield "substitutions", "more than 10000 bytes"
    if any(not isinstance(value, str) or " " in tag for tag, value in substitutions.items()):
        yield "substitutions", "tags without spaces and text values only"
    arguments = person.get("custom_args", {})
    if len(json.dumps(arguments)) > 10_000 or RESERVED_ARGUMENTS & arguments.keys():
        yield "custom_args", "too long, or a reserved name"
    if any(not isinstance(value, str) or "@" in value for value in arguments.values()):
        yield "custom_args", "texts without personal data only"
    if "\n" in _substituted(body.get("subject", ""), substitutions):
        yield "subject", "a line end after substitution"


def _substituted(text: str, substitutions: dict[str, str]) -> str:
    """As SendGrid does it: again and again, so that a value which holds a tag is replaced too."""
    for _ in range(MOST_NESTED):
        before = text
        for tag, value in substitutions.items():
            text = text.replace(tag, value)
        if text == before:
            break
    return text


def _mail(body: dict[str, Any], person: dict[str, Any], message_id: str) -> Mail:
    substitutions = person.get("substitutions", {})
    parts = {part["type"]: _substituted(part["value"], substitutions) for part in body["content"]}
    return Mail(
        to=person["to"][0]["email"],
        sender=body["from"]["email"],
        subject=_substituted(person.get("subject") or body["subject"], substitutions),
        text=parts["text/plain"],
        html=parts.get("text/html", ""),
        headers={**body.get("headers", {}), **person.get("headers", {})},
        arguments={**body.get("custom_args", {}), **person.get("custom_args", {})},
        message_id=message_id,
    )
