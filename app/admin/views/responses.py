"""Answers as their screen shows them: a list, and one with what was done about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.admin.response_work import FullResponse
from app.base.i18n import N_, SOURCE, shown_decimal, translate, translate_plural
from app.brands.programme import Channel
from app.insight import words
from app.insight.words import word
from app.orders.schemas import OrderRow
from app.surveys.rules import Band
from app.surveys.schemas import ReplyRow, ResponseEventRow, ResponseRow
from app.surveys.suspicion_rules import Suspicion
from app.surveys.work_rules import ReplyRefusal, WorkEvent, WorkState

STATES = {
    WorkState.open: N_("Open"),
    WorkState.answered: N_("Answered"),
    WorkState.closed: N_("Closed"),
}
ALL = N_("All")
TESTIMONIALS = N_("Testimonials")
SUSPECTS = N_("Suspects")
FILLED_BY_MARKS = N_("Answers come here as you mark them.")
FILLS: Mapping[str, str] = {
    WorkState.open: N_(
        "An answer of 0 to 6 comes here by itself, and stays until somebody replied or closed it."
    ),
    "testimonials": N_("Comments come here whose customers ticked that you may show their words."),
    "suspects": N_("Answers come here that a mail scanner may have given, before they count for good."),
}
"""What fills a list, by its place among the tabs."""
BANDS: Mapping[str, str] = {
    Band.detractor: N_("Detractors, 0–6"),
    Band.passive: N_("Passives, 7–8"),
    Band.promoter: N_("Promoters, 9–10"),
}
BAND_WORDS = {
    Band.detractor: N_("Detractor"),
    Band.passive: N_("Passive"),
    Band.promoter: N_("Promoter"),
}
_WAYS = {Channel.email: N_("By e-mail"), Channel.sms: N_("By text")}
_NO_ADDRESS = {
    Channel.email: N_("They gave no e-mail address."),
    Channel.sms: N_("They gave no phone number."),
}
_NO_REPLY = {
    ReplyRefusal.erased: N_("They were erased."),
    ReplyRefusal.unsubscribed: N_("They want no more messages by %(channel)s."),
}
_DONE_WORDS: Mapping[tuple[str, str], str] = {
    (WorkEvent.stated, WorkState.open): N_("opened it again"),
    (WorkEvent.stated, WorkState.answered): N_("marked it as answered"),
    (WorkEvent.stated, WorkState.closed): N_("closed it"),
    (WorkEvent.decided, Suspicion.real): N_("said that a person gave it"),
    (WorkEvent.decided, Suspicion.left_out): N_("left it out of the figures"),
    (WorkEvent.withdrawn, ""): N_("withdrew the testimonial"),
}
"""By the kind of an event and its text."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the list."""

    row: ResponseRow
    name: str
    href: str
    is_current: bool
    when: str
    words: str


@dataclass(frozen=True, slots=True)
class Done:
    """Something that the team did; `quote` is a note."""

    at: datetime
    who: str
    what: str
    quote: str = ""


def name_of(row: ResponseRow) -> str:
    """Who answered."""
    return row.name or translate(SOURCE, "A customer")


def state_pill(row: ResponseRow, *, now: datetime) -> tuple[str, str]:
    """The kind of its pill and its state in words; both empty for one that waits for nobody."""
    if row.state == WorkState.open:
        days = max(0, (now - row.answered_at).days)
        if not days:
            return "wait", translate(SOURCE, "Open since today")
        text = translate_plural(SOURCE, "Open for one day", "Open for %(num)s days", days)
        return "wait", text
    if row.state == WorkState.answered:
        return "good", translate(SOURCE, STATES[WorkState.answered])
    if row.state == WorkState.closed:
        return "no", translate(SOURCE, STATES[WorkState.closed])
    return "", ""


@dataclass(frozen=True, slots=True)
class Way:
    """A channel of a reply; `problem` is empty where one may be sent."""

    channel: str
    name: str
    address: str
    problem: str


def reply_ways(detail: FullResponse) -> list[Way]:
    """How the customer may be replied to, and why not."""
    return [
        Way(
            str(way.channel),
            translate(SOURCE, _WAYS[way.channel]),
            way.address or "",
            _no_reply(way.channel, way.reason) if way.reason else "",
        )
        for way in detail.reply_by
    ]


def _no_reply(channel: Channel, reason: ReplyRefusal) -> str:
    if reason is ReplyRefusal.no_address:
        return translate(SOURCE, _NO_ADDRESS[channel])
    return translate(SOURCE, _NO_REPLY[reason], channel=word(SOURCE, words.CHANNELS, channel))


def reply_under_way(detail: FullResponse) -> str:
    """The outcome of a reply that has not been accepted yet; empty where there is none."""
    if not detail.replying or not detail.replies:
        return ""
    return translate(SOURCE, "The reply %(status)s.", status=_reply_status(detail.replies[-1]))


def suspect_text(detail: FullResponse) -> str:
    """What speaks for a machine, in sentences; empty where nothing does or a person gave it."""
    found = detail.evidence
    if found is None or detail.suspicion == Suspicion.real:
        return ""
    after, page = found.after_sent, found.on_page
    sentences = [
        translate_plural(
            SOURCE,
            "It came one second after the message.",
            "It came %(num)s seconds after the message.",
            after,
        ),
        translate(SOURCE, "Nobody had opened the page before.")
        if page is None
        else translate_plural(
            SOURCE,
            "The page was sent one second after it was opened.",
            "The page was sent %(num)s seconds after it was opened.",
            page,
        ),
    ]
    if found.burst:
        sentences.append(translate(SOURCE, "Another one came from the same network within seconds."))
    return " ".join(sentences)


def _reply_status(reply: ReplyRow) -> str:
    """`was delivered`; `was returned: the receiving server returned it`."""
    status = word(SOURCE, words.MESSAGES, str(reply.status))
    if reply.reason is None:
        return status
    return f"{status}: {word(SOURCE, words.MESSAGE_REASONS, reply.reason)}"


def done_rows(detail: FullResponse, names: Callable[[str], str]) -> list[Done]:
    """What the team did, newest first; `names` turns an actor's id into a name."""
    replies = iter(detail.replies)
    done = [
        _done(each, next(replies, None) if each.kind == WorkEvent.replied else None, names)
        for each in detail.events
    ]
    return done[::-1]


def _done(event: ResponseEventRow, reply: ReplyRow | None, names: Callable[[str], str]) -> Done:
    text = event.text or ""
    match event.kind:
        case WorkEvent.replied if reply is not None:
            what = translate(
                SOURCE,
                "replied by %(channel)s, which %(status)s",
                channel=word(SOURCE, words.CHANNELS, str(reply.channel)),
                status=_reply_status(reply),
            )
            return Done(event.at, names(event.actor), what, text)
        case WorkEvent.noted:
            what = translate(SOURCE, "noted") if text else translate(SOURCE, "noted something")
            return Done(event.at, names(event.actor), what, text)
        case WorkEvent.assigned if text:
            what = translate(SOURCE, "gave it to %(name)s", name=names(text))
        case WorkEvent.assigned:
            what = translate(SOURCE, "gave it to nobody")
        case WorkEvent.tagged:
            what = translate(SOURCE, "added the reason %(tag)s", tag=f"“{text}”" if text else "")
        case WorkEvent.untagged:
            what = translate(SOURCE, "removed the reason %(tag)s", tag=f"“{text}”" if text else "")
        case _:
            known = _DONE_WORDS.get((str(event.kind), text))
            what = str(event.kind) if known is None else translate(SOURCE, known)
    return Done(event.at, names(event.actor), what)


def order_text(order: OrderRow) -> str:
    """`#1032, €38, delivered`."""
    amount = shown_decimal(Decimal(order.total), order.currency, SOURCE)
    return f"{order.number}, {amount}, {word(SOURCE, words.ORDERS, order.status)}"


def earlier_text(earlier: Sequence[ResponseRow], day: Callable[[datetime], str]) -> str:
    """What they answered before, the latest first; empty for a first answer."""
    return "; ".join(
        translate(SOURCE, "%(score)s on %(day)s", score=each.score, day=day(each.answered_at))
        for each in earlier
    )


def choices(names: Mapping[str, str], every: str) -> list[tuple[str, str]]:
    """The options of a filter, with one that filters nothing first."""
    return [("", every), *((value, translate(SOURCE, name)) for value, name in names.items())]


def channel_choices() -> list[tuple[str, str]]:
    """The options of the filter by channel."""
    shown = [(channel.value, word(SOURCE, words.CHANNELS, channel)) for channel in Channel]
    return [("", translate(SOURCE, "Any channel")), *shown]
