"""What the list of answers is filtered by, as its address says it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, true

from app.admin.dashboard.frame import Frame
from app.admin.listing import matches_id
from app.admin.response_work import answered_in, has_comment, in_band
from app.admin.views import responses as view
from app.admin.views.period import chosen_period
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.text import is_clean
from app.brands.programme import Channel
from app.insight.periods import Period
from app.insight.words import CHANNELS, word
from app.surveys.listed import in_state, of_shops, with_tag, with_words
from app.surveys.models import Response
from app.surveys.rules import Band
from app.surveys.suspicion_rules import Suspicion
from app.surveys.testimonials import IS_TESTIMONIAL
from app.surveys.work_rules import WorkState

_NAMES = ("q", "band", "assignee", "tag", "channel", "commented", "from", "to")
_LONGEST = 200
ALL, TESTIMONIALS, SUSPECTS = "all", "testimonials", "suspects"
"""What stands in the place of a state: every answer, those that may be shown to others, and those
that a machine may have given."""
SUSPECTED = (Suspicion.suspected, Suspicion.left_out)
"""The suspicions of the answers that a machine may have given."""
W = TypeVar("W", WorkState, Band, Channel)


@dataclass(frozen=True, slots=True)
class Filters:
    """`state` is a word, `testimonials`, `suspects` or `all`.

    `entered` are the others by name, empty where not given.
    """

    state: str
    entered: dict[str, str]
    period: Period
    period_text: str
    conditions: list[ColumnElement[bool]]

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the state filters."""
        return any(self.entered.values())


async def read_filters(frame: Frame) -> Filters:
    """The filters of a page's address; without any the open answers.

    Raises AppError for a value that is none.
    """
    query = frame.request.query_params
    entered = {name: query.get(name, "").strip()[:_LONGEST] for name in _NAMES}
    if not frame.sees_people:
        # An address could be guessed letter by letter.
        entered["q"] = ""
    if not all(is_clean(each) for each in entered.values()):
        raise AppError("bad_filter", "A filter has characters that are not text.")
    state = query.get("state") or (ALL if any(entered.values()) else WorkState.open.value)
    period, period_text = _period(frame, entered)
    conditions = [
        _in(state),
        in_band(_known(Band, entered["band"]) if entered["band"] else None),
        await with_words(frame.session, frame.brand.id, entered["q"]) if entered["q"] else true(),
        matches_id(Response.assignee_id, "stf", entered["assignee"] or None),
        with_tag(entered["tag"]) if entered["tag"] else true(),
        Response.channel == _known(Channel, entered["channel"]) if entered["channel"] else true(),
        has_comment(True if entered["commented"] else None),
        answered_in(period),
        of_shops([frame.shop.id]) if frame.shop else true(),
    ]
    return Filters(state, entered, period, period_text, conditions)


def _in(state: str) -> ColumnElement[bool]:
    if state == ALL:
        return true()
    if state == TESTIMONIALS:
        return IS_TESTIMONIAL
    return Response.suspicion.in_(SUSPECTED) if state == SUSPECTS else in_state(_known(WorkState, state))


def _known(words: type[W], text: str) -> W:
    try:
        return words(text)
    except ValueError:
        raise AppError("bad_filter", "There is no such choice.") from None


def _period(frame: Frame, entered: dict[str, str]) -> tuple[Period, str]:
    if not entered["from"] and not entered["to"]:
        return Period(), ""
    chosen = chosen_period(None, entered["from"], entered["to"], frame.brand.time_zone, now=clock.now())
    if chosen is None:
        raise AppError("bad_period", "The dates cannot be read.")
    return chosen.period, chosen.text


def chips(frame: Frame, filters: Filters, named: Callable[[str], str]) -> list[dict[str, str]]:
    """The filters in force, each with the address without it."""
    entered = filters.entered
    texts: dict[str, str] = {
        "q": f"“{entered['q']}”",
        "band": translate(SOURCE, view.BANDS[Band(entered["band"])]) if entered["band"] else "",
        "assignee": named(entered["assignee"]) if entered["assignee"] else "",
        "tag": entered["tag"],
        "channel": word(SOURCE, CHANNELS, entered["channel"]) if entered["channel"] else "",
        "commented": translate(SOURCE, "With a comment"),
    }
    shown = [
        {"name": text, "href": _without(frame, filters, name)}
        for name, text in texts.items()
        if entered[name]
    ]
    if filters.period_text:
        shown.append({"name": filters.period_text, "href": _without(frame, filters, "from", "to")})
    return shown


def _without(frame: Frame, filters: Filters, *names: str) -> str:
    return frame.here(**{"state": filters.state, "answer": None, **dict.fromkeys(names)})
