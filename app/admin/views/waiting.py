"""What waits for somebody, and the first steps, as the overview shows them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.base.i18n import N_, SOURCE, translate, translate_plural
from app.insight.first_steps import FirstSteps
from app.insight.waiting import Waiting

ORDERS = "/admin/orders"
RESPONSES = "/admin/answers"


@dataclass(frozen=True, slots=True)
class Todo:
    """A line of what waits, and the screen to do it on."""

    text: str
    path: str
    word: str


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first steps; `href` is a screen to take it on, empty where there is none."""

    name: str
    is_done: bool
    detail: str
    href: str
    word: str


def in_review_todo(waiting: Waiting, moment: Callable[[datetime], str]) -> Todo | None:
    """Friends' orders that wait for a decision; None where there are none."""
    if not waiting.count or waiting.since is None:
        return None
    text = translate_plural(
        SOURCE,
        "One friend’s order waits for your decision, since %(since)s.",
        "%(num)s friends’ orders wait for your decision, the first since %(since)s.",
        waiting.count,
        since=moment(waiting.since),
    )
    return Todo(text, f"{ORDERS}?status=in_review", translate(SOURCE, "Look at them"))


def open_responses_todo(waiting: Waiting, moment: Callable[[datetime], str]) -> Todo | None:
    """Unhappy customers whom nobody has replied to; None where there are none."""
    if not waiting.count or waiting.since is None:
        return None
    text = translate_plural(
        SOURCE,
        "One unhappy customer waits for a reply, since %(since)s.",
        "%(num)s unhappy customers wait for a reply, the first since %(since)s.",
        waiting.count,
        since=moment(waiting.since),
    )
    return Todo(text, f"{RESPONSES}?state=open", translate(SOURCE, "Read them"))


_STEPS = (
    (
        "shop_added",
        N_("Add your shop"),
        N_("Where its orders come from, and where its codes work."),
        "/admin/settings/shops",
        N_("Shops"),
    ),
    (
        "delivery_received",
        N_("Receive the first order"),
        N_("The shop’s page in the settings says where to send them."),
        "/admin/settings/shops",
        N_("Shops"),
    ),
    (
        "provider_set",
        N_("Choose who sends your messages"),
        N_("Until then they stay in the outbox. The operator sets a provider, or you give your own account."),
        "",
        "",
    ),
    (
        "programme_saved",
        N_("Set your terms"),
        N_("What a friend saves, what a referrer gets, and when a survey is sent."),
        "/admin/programme/terms",
        N_("Terms"),
    ),
    (
        "trial_sent",
        N_("Send yourself a survey"),
        N_("The operator runs: tenfold try, with your shop and your address."),
        "",
        "",
    ),
    (
        "survey_sent",
        N_("Let the first survey go out"),
        N_("It is sent some days after an order was delivered."),
        "",
        "",
    ),
)


def step_rows(steps: FirstSteps, serves: Callable[[str], bool]) -> list[Step]:
    """The six steps in their order; only what is left has an advice."""
    rows = []
    for name, text, detail, path, opens in _STEPS:
        done = bool(getattr(steps, name))
        href = path if not done and path and serves(path) else ""
        rows.append(
            Step(
                translate(SOURCE, text),
                done,
                "" if done else translate(SOURCE, detail),
                href,
                translate(SOURCE, opens) if href else "",
            )
        )
    return rows
