"""Alarms as the screens show them."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.admin.alarm_schemas import AlarmRow, LastCall
from app.admin.views.waiting import Todo
from app.base.i18n import SOURCE, translate, translate_plural

ALARMS_PATH = "/admin/settings/alarms"


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An alarm as a line of a list."""

    row: AlarmRow
    pill: str
    state: str


def alarm_rows(found: Sequence[AlarmRow]) -> list[ShownAlarm]:
    """The alarms with their states in words."""
    return [
        ShownAlarm(
            row=row,
            pill="no" if row.solved_at is None else "good",
            state=translate(SOURCE, "Unsolved") if row.solved_at is None else translate(SOURCE, "Solved"),
        )
        for row in found
    ]


def alarm_todos(found: Sequence[AlarmRow], *, most: int = 3) -> list[Todo]:
    """A line for each of the latest unsolved alarms, and one for those that are left out."""
    lines = [
        Todo(f"{row.title} {row.remedy}", row.page, translate(SOURCE, "Mend it")) for row in found[:most]
    ]
    left = len(found) - most
    if left > 0:
        text = translate_plural(SOURCE, "One more alarm.", "%(num)s more alarms.", left)
        lines.append(Todo(text, ALARMS_PATH, translate(SOURCE, "See them")))
    return lines


def call_text(last: LastCall | None) -> str:
    """The outcome of the webhook's latest call; empty where none was made."""
    if last is None:
        return ""
    if last.accepted:
        return translate(SOURCE, "The latest call was accepted.")
    if last.reason is None:
        return translate(SOURCE, "The latest call is under way.")
    if last.next_attempt_at is None:
        return translate(SOURCE, "The latest call was given up: %(reason)s", reason=last.reason)
    return translate(SOURCE, "The latest call failed and is tried again: %(reason)s", reason=last.reason)
