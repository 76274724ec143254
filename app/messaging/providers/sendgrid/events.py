"""SendGrid's event webhook: check its signature, and parse its events."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from sendgrid.helpers.eventwebhook import EventWebhook

from app.base.errors import AppError
from app.base.log import scrub
from app.base.tokens import Tokens
from app.messaging.attribute import UnattributedEvent
from app.messaging.provider_events import ParsedProviderEvent
from app.messaging.providers.event_fields import clean, moment
from app.messaging.providers.sendgrid.client import ATTEMPT_ARGUMENT
from app.messaging.rules import FailureCause, ProviderEventKind

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"
_KINDS = {
    "processed": ProviderEventKind.accepted,
    "delivered": ProviderEventKind.delivered,
    "deferred": ProviderEventKind.deferred,
    "dropped": ProviderEventKind.dropped,
    "spamreport": ProviderEventKind.complained,
    "unsubscribe": ProviderEventKind.unsubscribed,
    "group_unsubscribe": ProviderEventKind.unsubscribed,
    "open": ProviderEventKind.opened,
    "click": ProviderEventKind.clicked,
}
"""The kind of each event; `bounce` is one of two kinds by its type. Others are not used."""
_DROP_CAUSES = {
    "bounced address": FailureCause.invalid_address,
    "invalid": FailureCause.invalid_address,
    "unsubscribed address": FailureCause.recipient_unsubscribed,
    "spam reporting address": FailureCause.recipient_complained,
}
"""SendGrid's reasons for a drop that are about the address, case-folded."""

_PASSING_STATUS = re.compile(r"(?<![\d.])5\.(?:2\.[23]|3\.\d{1,3}|4\.\d{1,3}|6\.\d{1,3}|7\.\d{1,3})(?![\d.])")
"""RFC 3463: a full mailbox or too large a mail (2.2, 2.3), the receiving system (3), the network
(4), the content (6) and policy (7). The address is none of these."""
_BLOCKLIST = re.compile(
    r"(?i)spamcop|spamhaus|barracuda|sorbs|dnsbl|\brbl\b|block ?list|black ?list|blocked using"
)


def is_from_sendgrid(public_key: str, body: bytes, *, signature: str, timestamp: str) -> bool:
    """Whether the raw body has a valid ECDSA signature of the webhook's key.

    The timestamp is part of what is signed. Its age is not checked: SendGrid tries again for a day,
    and events are stored once.
    """
    if not timestamp.isdecimal():
        return False
    try:
        return bool(_verifier(public_key).verify_signature(body.decode(), signature, timestamp))
    except ValueError:  # undecodable, in either of them
        return False


def is_public_key(text: str) -> bool:
    """Whether the text is a key that SendGrid's webhook may sign with."""
    try:
        _verifier(text)
    except AppError:
        return False
    return True


@lru_cache(maxsize=128)
def _verifier(public_key: str) -> EventWebhook:
    try:
        return EventWebhook(public_key)
    except ValueError:
        raise AppError(
            "bad_settings",
            "TENFOLD_SENDGRID_EVENT_PUBLIC_KEY is no public key; copy it from SendGrid.",
            status=503,
        ) from None


def read_events(
    tokens: Tokens, body: bytes, *, now: datetime
) -> list[ParsedProviderEvent | UnattributedEvent]:
    """The events in a post that are of known types; the rest is left out.

    Some do not name their attempt, such as bounces that come in later.

    Raises `AppError` `bad_events` (400) for a body that is no JSON array.
    """
    try:
        events = orjson.loads(body)
    except ValueError:
        events = None
    if not isinstance(events, list):
        raise AppError("bad_events", "The body must be a JSON array of events.", status=400)
    return [
        parsed
        for event in events
        if isinstance(event, dict) and (parsed := _parse(tokens, event, now)) is not None
    ]


def _parse(
    tokens: Tokens, event: Mapping[str, Any], now: datetime
) -> ParsedProviderEvent | UnattributedEvent | None:
    token, name = event.get(ATTEMPT_ARGUMENT), event.get("event")
    subject = tokens.read_link("attempt", token) if isinstance(token, str) else None
    kind = _kind(event)
    if kind is None:
        return None
    detail = _detail(kind, event)
    provider_ref = (clean(event.get("sg_message_id")) or "").partition(".")[0] or None
    if subject is None:
        address = clean(event.get("email"))
        if provider_ref is None or address is None:
            return None
        return UnattributedEvent(
            provider="sendgrid",
            provider_ref=provider_ref,
            address=address,
            external_id=clean(event.get("sg_event_id")) or _made_up_id(event, address),
            kind=kind,
            detail=detail,
            at=moment(event.get("timestamp"), now=now),
            cause=_cause(kind, event),
        )
    return ParsedProviderEvent(
        brand_id=subject.brand_id,
        attempt_id=subject.row_id,
        provider="sendgrid",
        external_id=clean(event.get("sg_event_id")) or f"{name}:{token}:{clean(event.get('timestamp'))}",
        kind=kind,
        detail=detail,
        at=moment(event.get("timestamp"), now=now),
        cause=_cause(kind, event),
        provider_ref=provider_ref,
    )


def _made_up_id(event: Mapping[str, Any], address: str) -> str:
    """An id for an event without one, the same for each repetition; holds no address."""
    parts = [clean(event.get(name)) or "" for name in ("event", "sg_message_id", "timestamp")]
    return "made:" + hashlib.sha256("\n".join([*parts, address.casefold()]).encode()).hexdigest()[:32]


def _kind(event: Mapping[str, Any]) -> ProviderEventKind | None:
    name = event.get("event")
    if name == "bounce":
        passing = event.get("type") == "blocked" or _is_passing(event)
        return ProviderEventKind.blocked if passing else ProviderEventKind.bounced
    return _KINDS.get(name) if isinstance(name, str) else None


def _is_passing(event: Mapping[str, Any]) -> bool:
    """Whether a bounce is about our reputation, the mail or a full mailbox, not the address."""
    classification = clean(event.get("bounce_classification"))
    if classification == "Invalid Address":
        return False
    words = " ".join(clean(event.get(name)) or "" for name in ("status", "reason"))
    return bool(_PASSING_STATUS.search(words) or _BLOCKLIST.search(words))


def _detail(kind: ProviderEventKind, event: Mapping[str, Any]) -> str | None:
    """SendGrid's words beyond the kind.

    Receiving servers may quote the address, so it is removed.
    """
    match kind:
        case ProviderEventKind.bounced | ProviderEventKind.blocked:
            words = [clean(event.get(name)) for name in ("bounce_classification", "status", "reason")]
            text = " ".join(word for word in words if word)
        case ProviderEventKind.deferred:
            text = clean(event.get("response")) or ""
        case ProviderEventKind.dropped:
            text = clean(event.get("reason")) or ""
        case _:
            text = ""
    return scrub(text) or None


def _cause(kind: ProviderEventKind, event: Mapping[str, Any]) -> FailureCause | None:
    """Why the address failed; None where the mail or the account may be at fault."""
    if kind is ProviderEventKind.dropped:
        return _DROP_CAUSES.get((clean(event.get("reason")) or "").casefold())
    if kind is not ProviderEventKind.bounced:
        return None
    classification = clean(event.get("bounce_classification")) or "Unclassified"
    hard = (clean(event.get("status")) or "").startswith("5")
    invalid = classification == "Invalid Address" or (classification == "Unclassified" and hard)
    return FailureCause.invalid_address if invalid else None
