"""Pure decisions about provider events: new states, suppressions, and replies that mean STOP.

A message's state is the highest that one of its events proves, so their order, lateness and
repetition cannot matter.
"""

import re

from app.customers.rules import SuppressionReason
from app.messaging.rules import FailureCause, MessageStatus, ProviderEventKind

_RANK = {
    MessageStatus.planned: 0,
    MessageStatus.sending: 0,
    MessageStatus.unknown: 0,
    MessageStatus.review: 0,
    MessageStatus.dismissed: 0,
    MessageStatus.cancelled: 0,
    MessageStatus.suppressed: 0,
    MessageStatus.accepted: 1,
    MessageStatus.failed: 2,
    MessageStatus.delivered: 3,
    MessageStatus.bounced: 4,
    MessageStatus.complained: 5,
}
"""A message's status only rises. Any event replaces the statuses without proof (0). A mail may
bounce after the server accepted it, and people complain about what was delivered."""

_PROVES = {
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
"""Every kind proves that the provider had accepted the attempt. Machines open mails too, so an
opened mail does not count as delivered."""

_SUPPRESSIONS = {
    FailureCause.invalid_address: SuppressionReason.bounced,
    FailureCause.recipient_opted_out: SuppressionReason.stopped,
    FailureCause.recipient_unsubscribed: SuppressionReason.unsubscribed,
    FailureCause.recipient_complained: SuppressionReason.complained,
}
_FAILURES = frozenset(
    {
        ProviderEventKind.bounced,
        ProviderEventKind.blocked,
        ProviderEventKind.dropped,
        ProviderEventKind.failed,
        ProviderEventKind.complained,
    }
)


def status_after(current: MessageStatus, kind: ProviderEventKind) -> MessageStatus:
    """The status of a message once an event of this kind is known."""
    proved = _PROVES[kind]
    return proved if _RANK[proved] > _RANK[current] else current


def reason_of(kind: ProviderEventKind, cause: FailureCause | None) -> str | None:
    """Why a message did not arrive, as one word; None for a kind that is no failure."""
    if kind not in _FAILURES:
        return None
    if cause is not None and kind in (ProviderEventKind.failed, ProviderEventKind.dropped):
        return cause.value
    return kind.value


def suppression_for(kind: ProviderEventKind, cause: FailureCause | None) -> SuppressionReason | None:
    """Why the address must get nothing any more, or None.

    Blocked and deferred messages and failures without a cause suppress nobody.
    """
    match kind:
        case ProviderEventKind.complained:
            return SuppressionReason.complained
        case ProviderEventKind.unsubscribed:
            return SuppressionReason.unsubscribed
        case ProviderEventKind.bounced | ProviderEventKind.dropped | ProviderEventKind.failed if cause:
            return _SUPPRESSIONS[cause]
        case _:
            return None


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
"""The keywords that the FCC and US carriers name, and German ones."""
_STOP_PHRASES = re.compile(
    r"\b(?:unsubscribe|opt(?:ed)?[ -]?(?:me )?out"
    r"|stop (?:text|messag|send|contact|writing|sms|this|it\b|all\b)\w*"
    r"|(?:do not|don'?t|never) (?:text|message|contact|write|sms)\w*|no more (?:text|message|sms)\w*"
    r"|(?:remove|delete) me|take me off|leave me alone|revoke\b.*\bconsent"
    r"|keine (?:sms|nachrichten) mehr|bitte abmelden)"
)
_STOP_EVEN_AMONG_OTHERS = frozenset({"stop", "stopp", "unsubscribe", "quit", "abmelden", "abbestellen"})
"""Count first or last among a few words ("please stop"), where the others do not ("cancel my
order")."""
_SCORE_FIRST = re.compile(r"(?:10|\d)\b")
_FEW_WORDS = 4


def wants_stop(body: str) -> bool:
    """Whether a reply asks for no more texts, by a keyword or in any reasonable wording.

    A reply that begins with a score is a response, and "stop" within its comment does not count; a
    clear phrase counts even there.
    """
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
