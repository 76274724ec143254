"""A person's page: their time line newest first, and the texts of what stands beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from app.admin.person import PersonSummary
from app.base.i18n import N_, SOURCE, exact_decimal, translate, translate_plural
from app.insight import words
from app.insight.schemas import TimelineEntry
from app.insight.words import word
from app.orders.rules import OrderStatus
from app.referrals.rules import CodeStatus, RedemptionStatus, RewardStatus

_MATTERS = ("order", "response", "code", "redemption", "redemption_approved", "redemption_reversed", "erased")
_NOT_DONE = (
    "survey_skipped",
    "survey_deferred",
    "offer_withheld",
    "suppression",
    "message_suppressed",
    "message_failed",
    "message_bounced",
    "message_cancelled",
    "message_dismissed",
)
_GOOD = {
    OrderStatus.paid,
    OrderStatus.fulfilled,
    OrderStatus.delivered,
    CodeStatus.active,
    RedemptionStatus.approved,
    RewardStatus.granted,
    RewardStatus.used,
}
_WAITING = {RedemptionStatus.pending, RedemptionStatus.in_review}


class Show(StrEnum):
    """The parts of a time line that can be read alone."""

    everything = "everything"
    messages = "messages"
    orders = "orders"
    unsent = "unsent"


SHOWN = {
    Show.everything: N_("Everything"),
    Show.messages: N_("Messages"),
    Show.orders: N_("Orders"),
    Show.unsent: N_("Not sent, and why"),
}


@dataclass(slots=True)
class Happening:
    """An entry of the time line; `kind` is `key`, `not` or empty, `steps` are folded below it."""

    kind: str
    at: datetime
    title: str
    text: str = ""
    quote: str = ""
    steps: list[TimelineEntry] = field(default_factory=list)


def happenings(entries: Sequence[TimelineEntry], show: Show = Show.everything) -> list[Happening]:
    """The time line from the newest, machines' reports below their message.

    Openings of a share link that follow each other are one entry. `entries` come oldest first.
    """
    messages: dict[str, Happening] = {}
    shown: list[Happening] = []
    steps: list[TimelineEntry] = []
    before: TimelineEntry | None = None
    for entry in entries:
        if entry.message is not None and not entry.kind.startswith("message_"):
            steps.append(entry)
            continue
        if entry.kind == "visit" and before is not None and before.kind == "visit":
            _add_visit(shown[-1], entry)
            continue
        happening = Happening(_kind(entry), entry.at, entry.text)
        if entry.message is not None:
            messages[entry.message] = happening
        before = entry
        if _belongs(entry, show):
            shown.append(happening)
        else:
            before = None
    for step in steps:
        if step.message in messages:
            messages[step.message].steps.append(step)
    shown.reverse()
    shown.sort(key=lambda it: it.at, reverse=True)
    return shown


def _add_visit(happening: Happening, visit: TimelineEntry) -> None:
    happening.steps.append(visit)
    happening.at = visit.at
    happening.title = translate_plural(
        SOURCE,
        "A friend opened their share link.",
        "Friends opened their share link %(num)s times.",
        len(happening.steps) + 1,
    )


def _kind(entry: TimelineEntry) -> str:
    if entry.kind in _NOT_DONE:
        return "not"
    return "key" if entry.kind in _MATTERS or entry.kind.startswith("reward_") else ""


def _belongs(entry: TimelineEntry, show: Show) -> bool:
    match show:
        case Show.messages:
            return entry.message is not None or entry.kind.startswith(("survey_", "offer_"))
        case Show.orders:
            return entry.order is not None or entry.redemption is not None
        case Show.unsent:
            return _kind(entry) == "not"
        case _:
            return True


@dataclass(frozen=True, slots=True)
class Row:
    """A row of one of the small tables: what it is, its amount, its state with its mark."""

    name: str
    amount: str
    state: str
    mark: str
    at: datetime | None = None
    path: str = ""
    """Its own page, where it has one."""


def headline(summary: PersonSummary) -> str:
    """What they are to the shop: `Answered 10, a promoter, brought one friend’s order worth €9`."""
    parts = []
    if summary.responses:
        latest = max(summary.responses, key=lambda response: response.answered_at)
        parts.append(
            translate(
                SOURCE,
                "answered %(score)s, %(band)s",
                score=latest.score,
                band=word(SOURCE, words.BANDS, latest.band),
            )
        )
    orders = sum(each.orders for each in summary.friends)
    if orders:
        amounts = ", ".join(_amount(each.amount, each.currency) for each in summary.friends)
        brought = translate_plural(
            SOURCE,
            "brought one friend’s order worth %(amounts)s",
            "brought %(num)s friends’ orders worth %(amounts)s",
            orders,
            amounts=amounts,
        )
        parts.append(brought)
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def order_rows(summary: PersonSummary) -> list[Row]:
    """Their own orders."""
    return [
        Row(
            each.number,
            _amount(each.total, each.currency),
            word(SOURCE, words.ORDERS, each.status),
            _mark(each.status),
            each.placed_at,
        )
        for each in summary.orders
    ]


def redemption_rows(summary: PersonSummary) -> list[Row]:
    """Friends' orders with their codes."""
    return [
        Row(
            each.order_number,
            each.code,
            word(SOURCE, words.REDEMPTIONS, each.status),
            _mark(each.status),
            each.placed_at,
            f"/admin/orders/{each.id}",
        )
        for each in summary.redemptions
    ]


def reward_rows(summary: PersonSummary, *, may_grant: bool) -> list[Row]:
    """Their rewards, each by its code if it has one, with what is left of it.

    A code opens its page, goodwill the page where it is granted.
    """
    pages = {each.code: f"/admin/codes/{each.id}" for each in summary.codes}
    return [
        Row(
            (each.code or word(SOURCE, words.REWARD_KINDS, each.kind))
            + ("" if each.redemption else translate(SOURCE, ", goodwill")),
            _amount(each.net_amount, each.currency),
            word(SOURCE, words.REWARDS, each.status),
            _mark(each.status),
            each.granted_at,
            f"/admin/rewards/goodwill?referrer={each.referrer}"
            if may_grant and not each.redemption
            else pages.get(each.code or "", ""),
        )
        for each in summary.rewards
    ]


def credit_texts(summary: PersonSummary) -> list[str]:
    """What they may spend, by currency."""
    return [_amount(each.available, each.currency) for each in summary.credits]


def reach_rows(summary: PersonSummary) -> Iterable[tuple[str, str, str]]:
    """Each channel, whether it may be used or why not, and the mark of it."""
    for each in summary.reach:
        channel = word(SOURCE, words.CHANNELS, each.channel)
        if each.allowed or each.reason is None:
            yield channel, translate(SOURCE, "may be written to"), "good"
        else:
            yield channel, word(SOURCE, words.MESSAGE_REASONS, each.reason), "no"


def _amount(amount: str, currency: str) -> str:
    return exact_decimal(Decimal(amount), currency, SOURCE)


def _mark(status: str) -> str:
    if status in _GOOD:
        return "good"
    return "wait" if status in _WAITING else "no"
