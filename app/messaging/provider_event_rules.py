"""Pure decisions about what providers tell: what a receipt makes of a message, who gets nothing any more, what STOP looks like.

What is known of a message is the highest of all its receipts, so order, lateness and repetition cannot matter.
"""

import re

from app.customers.rules import SuppressionReason
from app.messaging.rules import MessageStatus, ProviderEventKind

_RANK = {
    MessageStatus.planned: 0,
    MessageStatus.sending: 0,
    MessageStatus.unknown: 0,
    MessageStatus.cancelled: 0,
    MessageStatus.suppressed: 0,
    MessageStatus.accepted: 1,
    MessageStatus.failed: 2,
    MessageStatus.delivered: 3,
    MessageStatus.bounced: 4,
    MessageStatus.complained: 5,
}
"""A message goes up only. What we believed or planned (0) yields to any proof that it went out; a mail may bounce after the server
took it, and a person complains of what they got."""

_SAYS = {
    ProviderEventKind.accepted: MessageStatus.accepted,
    ProviderEventKind.deferred: MessageStatus.accepted,
    ProviderEventKind.opened: MessageStatus.accepted,
    ProviderEventKind.clicked: MessageStatus.accepted,
    ProviderEventKind.unsubscribed: MessageStatus.accepted,
    ProviderEventKind.delivered: MessageStatus.delivered,
    ProviderEventKind.blocked: MessageStatus.failed,
    ProviderEventKind.dropped: MessageStatus.failed,
    ProviderEventKind.failed: MessageStatus.failed,
    ProviderEventKind.bounced: MessageStatus.bounced,
    ProviderEventKind.complained: MessageStatus.complained,
}
"""Every kind proves that the provider had accepted the attempt. Machines open mails, so an opened one is not yet delivered."""

_DROPPED_FOR = {
    "bounced address": SuppressionReason.bounced,
    "invalid": SuppressionReason.bounced,
    "unsubscribed address": SuppressionReason.unsubscribed,
    "spam reporting address": SuppressionReason.complained,
}
OPTED_OUT_DETAIL = "21610"
"""Twilio's code for a recipient who said STOP."""


def status_after(current: MessageStatus, kind: ProviderEventKind) -> MessageStatus:
    """What a message is once a receipt of this kind is known."""
    told = _SAYS[kind]
    return told if _RANK[told] > _RANK[current] else current


def reason_of(kind: ProviderEventKind, detail: str | None) -> str | None:
    """Why a message did not arrive, in a word or two; None for a kind that says no such thing."""
    match kind:
        case ProviderEventKind.failed if detail == OPTED_OUT_DETAIL:
            return "opted_out"
        case ProviderEventKind.dropped if (known := dropped_for(detail)) is not None:
            return known.value
        case (
            ProviderEventKind.failed
            | ProviderEventKind.bounced
            | ProviderEventKind.blocked
            | ProviderEventKind.dropped
            | ProviderEventKind.complained
        ):
            return kind.value
        case _:
            return None


def suppression_for(
    kind: ProviderEventKind, detail: str | None, *, permanent: bool
) -> SuppressionReason | None:
    """Why the address gets nothing any more, or None: blocked, deferred and passing failures suppress nobody."""
    match kind:
        case ProviderEventKind.complained:
            return SuppressionReason.complained
        case ProviderEventKind.unsubscribed:
            return SuppressionReason.unsubscribed
        case ProviderEventKind.dropped if permanent:
            return dropped_for(detail)
        case ProviderEventKind.failed if permanent and detail == OPTED_OUT_DETAIL:
            return SuppressionReason.stopped
        case ProviderEventKind.bounced if permanent:
            return SuppressionReason.bounced
        case _:
            return None


def dropped_for(reason: str | None) -> SuppressionReason | None:
    """What a drop's reason says about the address; None where the mail or our account was at fault."""
    return _DROPPED_FOR.get((reason or "").strip().casefold())


_STOP_WORDS = frozenset(
    {
        "stop",
        "stopp",
        "stopall",
        "unsubscribe",
        "end",
        "quit",
        "revoke",
        "optout",
        "cancel",
        "abmelden",
        "abbestellen",
    }
)
"""Twilio's and the FCC's keywords, and German ones."""
_STOP_PHRASES = re.compile(
    r"\b(?:unsubscribe|opt(?:ed)?[ -]?(?:me )?out|stop (?:text|messag|send|contact|writing|sms|this|it\b|all\b)\w*"
    r"|(?:do not|don'?t|never) (?:text|message|contact|write|sms)\w*|no more (?:text|message|sms)\w*"
    r"|(?:remove|delete) me|take me off|leave me alone|revoke\b.*\bconsent|keine (?:sms|nachrichten) mehr|bitte abmelden)"
)
_STOP_EVEN_AMONG_OTHERS = frozenset({"stop", "stopp", "unsubscribe", "quit", "abmelden", "abbestellen"})
"""First or last in a few words ("please stop"); the other keywords are talk there ("cancel my order")."""
_SCORE_FIRST = re.compile(r"(?:10|\d)\b")
_FEW_WORDS = 4


def wants_stop(body: str, opt_out_type: str | None = None) -> bool:
    """Whether a reply asks for no more texts: by keyword, by Twilio's own finding, or in free words (any reasonable wording counts).

    A reply that begins with a score is an answer, and "stop" within its comment is talk; a clear phrase counts even there.
    """
    if opt_out_type is not None and opt_out_type.strip().upper() == "STOP":
        return True
    plain = " ".join(re.sub(r"[^\w\s'-]", " ", body.replace("\u2019", "'").casefold()).split())
    words = [word.strip("'-") for word in plain.split()]
    if not words:
        return False
    if "".join(words) in _STOP_WORDS or _STOP_PHRASES.search(plain):
        return True
    if _SCORE_FIRST.match(plain):
        return False
    return words[0] in _STOP_EVEN_AMONG_OTHERS or (
        len(words) <= _FEW_WORDS and words[-1] in _STOP_EVEN_AMONG_OTHERS
    )
