"""Pure decisions about provider events: the message's new state, and suppressions.

A message's state is the highest that one of its events proves, so their order, lateness and
repetition cannot matter.
"""

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

SUPPRESSIONS = {
    FailureCause.invalid_address: SuppressionReason.bounced,
    FailureCause.recipient_opted_out: SuppressionReason.stopped,
    FailureCause.recipient_unsubscribed: SuppressionReason.unsubscribed,
    FailureCause.recipient_complained: SuppressionReason.complained,
}
"""The suppression that each cause brings about."""
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
            return SUPPRESSIONS[cause]
        case _:
            return None
