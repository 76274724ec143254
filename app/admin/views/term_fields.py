"""The fields of the terms' form: where each is in the programme, its name, and its kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.base.i18n import N_


class Kind(StrEnum):
    """How a field is entered."""

    number = "number"
    percent = "percent"
    money = "money"
    """One amount, or one for each currency of the brand."""
    choice = "choice"
    yes = "yes"
    lines = "lines"
    """Words, one a line."""
    time = "time"
    """A local time of day."""
    moment = "moment"
    """Day and time in the brand's zone."""
    ticks = "ticks"
    """Any of several."""


@dataclass(frozen=True, slots=True)
class TermField:
    """One field; texts are marked for translation and not translated."""

    path: str
    """In the programme's JSON. A discount is `.percent` or `.amount` where the terms have
    `.value`, by its kind."""
    name: str
    kind: Kind = Kind.number
    unit: str = ""
    hint: str = ""
    options: tuple[tuple[str, str], ...] = ()
    empty: str = ""
    """What an empty field means; without it a value is needed."""


@dataclass(frozen=True, slots=True)
class TermGroup:
    """Fields that belong together; `is_folded` for those that are seldom changed."""

    key: str
    title: str
    fields: Sequence[TermField]
    is_folded: bool = False


_DAYS, _HOURS, _MINUTES = N_("days"), N_("hours"), N_("minutes")
_CHANNELS = (
    ("email", N_("e-mail alone")),
    ("sms", N_("text message alone")),
    ("email sms", N_("e-mail first, then text message")),
    ("sms email", N_("text message first, then e-mail")),
)
DISCOUNT = "offer.friend_discount"
BUDGET = "reward.budget"
QUIET_HOURS = "survey.quiet_hours"

GROUPS = (
    TermGroup(
        "friend",
        N_("What the friend gets"),
        (
            TermField(
                f"{DISCOUNT}.kind",
                N_("Discount"),
                Kind.choice,
                options=(("percent", N_("a percentage")), ("amount", N_("an amount"))),
            ),
            TermField(f"{DISCOUNT}.percent", N_("Percentage off"), Kind.percent, unit="%%"),
            TermField(f"{DISCOUNT}.amount", N_("Amount off"), Kind.money),
            TermField("offer.minimum_subtotal", N_("From an order of"), Kind.money, empty=N_("any order")),
            TermField(
                "offer.combines_with",
                N_("May be combined with the shop’s own discounts on"),
                Kind.ticks,
                options=(
                    ("shipping", N_("shipping")),
                    ("order", N_("the whole order")),
                    ("product", N_("single products")),
                ),
                empty=N_("nothing"),
            ),
            TermField("offer.new_customers_only", N_("For a first order only"), Kind.yes),
            TermField("offer.one_per_friend", N_("Once for each friend"), Kind.yes),
        ),
    ),
    TermGroup(
        "referrer",
        N_("What the referrer gets"),
        (
            TermField(
                "reward.kind",
                N_("Reward"),
                Kind.choice,
                options=(
                    ("code", N_("a code for an order of their own")),
                    ("credit", N_("credit")),
                    ("none", N_("thanks alone")),
                ),
            ),
            TermField("reward.value", N_("For each friend’s order"), Kind.money),
            TermField("reward.hold_days", N_("Once the order is kept for"), unit=_DAYS),
            TermField(
                "reward.hold_from",
                N_("Counted from"),
                Kind.choice,
                options=(("delivered", N_("the delivery")), ("paid", N_("the payment"))),
            ),
            TermField("reward.valid_days", N_("A reward is good for"), unit=_DAYS),
            TermField(
                "reward.cap_per_referrer",
                N_("Rewards of one referrer at most"),
                empty=N_("no limit"),
            ),
            TermField(
                f"{BUDGET}.amount", N_("All rewards together at most"), Kind.money, empty=N_("no budget")
            ),
            TermField(
                f"{BUDGET}.period",
                N_("In each"),
                Kind.choice,
                options=(
                    ("", N_("no budget")),
                    ("day", N_("day")),
                    ("week", N_("week")),
                    ("month", N_("month")),
                    ("year", N_("year")),
                    ("total", N_("for all time")),
                ),
            ),
            TermField(
                "reward.partial_refund",
                N_("A refund of a part of the order"),
                Kind.choice,
                options=(
                    ("proportional", N_("lowers the reward by the same share")),
                    ("threshold", N_("leaves the reward while the minimum is kept")),
                ),
            ),
        ),
    ),
    TermGroup(
        "code",
        N_("The code"),
        (
            TermField("offer.max_uses_per_code", N_("Friends a code is good for")),
            TermField("offer.valid_days", N_("A code is good for"), unit=_DAYS),
            TermField(
                "offer.code_per",
                N_("Who has a code"),
                Kind.choice,
                options=(
                    ("referrer", N_("the referrer, to share")),
                    ("friend", N_("each friend their own, by the link")),
                ),
            ),
            TermField(
                "offer.code_style",
                N_("Codes look like"),
                Kind.choice,
                options=(("random", "7K4QX9WMPA"), ("named", "ANA-7K4QX")),
            ),
            TermField("offer.channels", N_("Offers go out by"), Kind.choice, options=_CHANNELS),
            TermField(
                "offer.holdout_percent",
                N_("Promoters without an offer"),
                unit="%%",
                hint=N_("Chosen by chance, to measure what the offers bring."),
            ),
        ),
    ),
    TermGroup(
        "survey",
        N_("When customers are asked"),
        (
            TermField(
                "survey.trigger",
                N_("Counted from"),
                Kind.choice,
                options=(
                    ("delivered", N_("the delivery")),
                    ("fulfilled", N_("the shipment")),
                    ("paid", N_("the payment")),
                ),
            ),
            TermField("survey.delay_hours", N_("Asked after"), unit=_HOURS),
            TermField(
                "survey.fallback_days.fulfilled",
                N_("Without a delivery, after the shipment"),
                unit=_DAYS,
                empty=N_("never"),
            ),
            TermField(
                "survey.fallback_days.paid",
                N_("Without a shipment, after the payment"),
                unit=_DAYS,
                empty=N_("never"),
            ),
            TermField("survey.channels", N_("Surveys go out by"), Kind.choice, options=_CHANNELS),
            TermField("survey.max_reminders", N_("Reminders at most")),
            TermField("survey.reminder_after_hours", N_("Reminded after"), unit=_HOURS),
            TermField(
                f"{QUIET_HOURS}.from",
                N_("Nobody is asked from"),
                Kind.time,
                hint=N_("In the customer’s own zone."),
                empty=N_("no quiet hours"),
            ),
            TermField(f"{QUIET_HOURS}.to", N_("until"), Kind.time, empty=N_("no quiet hours")),
            TermField("survey.expires_days", N_("A survey can be answered for"), unit=_DAYS),
            TermField("survey.change_minutes", N_("An answer can be changed for"), unit=_MINUTES),
        ),
        is_folded=True,
    ),
    TermGroup(
        "whom",
        N_("Who is asked"),
        (
            TermField("survey.recontact_days", N_("Nobody twice within"), unit=_DAYS),
            TermField("survey.sample_percent", N_("Share of orders that is asked about"), unit="%%"),
            TermField("survey.max_per_day", N_("Surveys a day at most"), empty=N_("no limit")),
            TermField(
                "survey.exclude.below_total", N_("Orders of less are left out"), Kind.money, empty=N_("none")
            ),
            TermField(
                "survey.exclude.tags",
                N_("Orders with these tags are left out"),
                Kind.lines,
                hint=N_("One a line, as the shop writes them."),
                empty=N_("none"),
            ),
            TermField(
                "survey.exclude.sources",
                N_("Orders from these sources are left out"),
                Kind.lines,
                hint=N_("One a line, as the shop writes them."),
                empty=N_("none"),
            ),
            TermField(
                "survey.exclude.relays",
                N_("Leave out relay and no-reply addresses of marketplaces"),
                Kind.yes,
            ),
        ),
        is_folded=True,
    ),
    TermGroup(
        "dates",
        N_("From when to when"),
        (
            TermField("starts_at", N_("Starts"), Kind.moment, empty=N_("at once")),
            TermField("ends_at", N_("Ends"), Kind.moment, empty=N_("never")),
        ),
        is_folded=True,
    ),
)
FIELDS = tuple(field for group in GROUPS for field in group.fields)
SWITCHES = (
    TermField("surveys_enabled", N_("Surveys"), Kind.yes),
    TermField("offers_enabled", N_("Offers"), Kind.yes),
    TermField("redemptions_enabled", N_("Redemptions"), Kind.yes),
)
"""Changed one by one, each after a question."""
