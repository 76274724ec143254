"""Answers as their screen shows them: a list, and one with what was done about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.base.i18n import N_, SOURCE, shown_decimal, translate, translate_plural
from app.insight import words
from app.insight.words import word
from app.orders.schemas import OrderRow
from app.surveys.rules import Band
from app.surveys.schemas import ResponseEventRow, ResponseRow
from app.surveys.work_rules import WorkEvent, WorkState

STATES = {
    WorkState.open: N_("Open"),
    WorkState.answered: N_("Answered"),
    WorkState.closed: N_("Closed"),
}
ALL = N_("All")
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
_STATED = {
    WorkState.open: N_("opened it again"),
    WorkState.answered: N_("marked it as answered"),
    WorkState.closed: N_("closed it"),
}


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


def done_rows(events: Sequence[ResponseEventRow], names: Callable[[str], str]) -> list[Done]:
    """What the team did, newest first; `names` turns an actor's id into a name."""
    return [_done(each, names) for each in reversed(events)]


def _done(event: ResponseEventRow, names: Callable[[str], str]) -> Done:
    text = event.text or ""
    match event.kind:
        case WorkEvent.noted:
            what = translate(SOURCE, "noted") if text else translate(SOURCE, "noted something")
            return Done(event.at, names(event.actor), what, text)
        case WorkEvent.stated:
            what = translate(SOURCE, _STATED[WorkState(text)]) if text in set(WorkState) else text
        case WorkEvent.assigned if text:
            what = translate(SOURCE, "gave it to %(name)s", name=names(text))
        case WorkEvent.assigned:
            what = translate(SOURCE, "gave it to nobody")
        case WorkEvent.tagged:
            what = translate(SOURCE, "added the reason %(tag)s", tag=f"“{text}”" if text else "")
        case WorkEvent.untagged:
            what = translate(SOURCE, "removed the reason %(tag)s", tag=f"“{text}”" if text else "")
        case _:
            what = str(event.kind)
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
