"""What the screen of terms shows: its fields, what changes, and what customers and orders get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.admin.views.term_fields import GROUPS, TermField
from app.admin.views.term_form import TermsForm, Texts, value_at
from app.admin.views.term_words import TermWords
from app.base.i18n import SOURCE, shown_decimal, translate, translate_plural
from app.brands.programme import HoldFrom, Programme, RewardKind
from app.referrals.preview_schemas import CostShape, ExampleShape, PastShape, ProgrammePreview
from app.referrals.terms_preview import PAST_DAYS


@dataclass(frozen=True, slots=True)
class ShownField:
    """A field as the form shows it, its texts translated."""

    id: str
    name: str
    kind: str
    unit: str
    hint: str
    inputs: Sequence[tuple[str, str, str]]
    """Name, text and currency of each."""
    options: Sequence[tuple[str, str]]
    was: str
    """What is in force, where the form has something else; else empty."""
    error: str
    at: str
    """The input that is at fault; the first one where none is."""
    css: str
    """A class by which a field that does not apply is hidden."""


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """A part of the form."""

    key: str
    title: str
    fields: Sequence[ShownField]
    is_folded: bool
    is_open: bool
    """Whether a folded part is open, since something in it changed or is wrong."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of amounts: `before` is empty where nothing changes."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ShownExample:
    """An order of the usual size in words and amounts."""

    title: str
    sentence: str
    figures: Sequence[Figure]


_CSS = {
    "offer.friend_discount.percent": "if-percent",
    "offer.friend_discount.amount": "if-amount",
    "reward.value": "if-reward",
}


def shown_groups(
    form: TermsForm, words: TermWords, present: Programme, entered: Texts, errors: Mapping[str, str]
) -> list[ShownGroup]:
    """The form with what was entered, beside what is in force."""
    shown, stored = form.texts(present), present.as_json()

    def of(field: TermField) -> ShownField:
        inputs = form.inputs(field)
        changed = any(entered.get(name, "") != shown[name] for name, _ in inputs)
        was = words.value(field, value_at(stored, field.path)) if changed else ""
        return ShownField(
            id=inputs[0][0],
            name=translate(SOURCE, field.name),
            kind=field.kind.value,
            unit=translate(SOURCE, field.unit) if field.unit else "",
            hint=_hint(field),
            inputs=[(name, entered.get(name, ""), currency) for name, currency in inputs],
            options=[(value, translate(SOURCE, name)) for value, name in field.options],
            was=was,
            error=next((errors[name] for name, _ in inputs if name in errors), ""),
            at=next((name for name, _ in inputs if name in errors), inputs[0][0]),
            css=_CSS.get(field.path, ""),
        )

    groups = []
    for group in GROUPS:
        fields = [of(field) for field in group.fields]
        is_open = any(field.was or field.error for field in fields)
        groups.append(ShownGroup(group.key, translate(SOURCE, group.title), fields, group.is_folded, is_open))
    return groups


def _hint(field: TermField) -> str:
    """What an empty field means where one may be, else the field's own hint."""
    if field.hint:
        return translate(SOURCE, field.hint)
    if field.empty and field.kind.value in ("number", "money", "moment", "time"):
        return translate(SOURCE, "Empty: %(meaning)s.", meaning=translate(SOURCE, field.empty))
    return ""


def shown_examples(preview: ProgrammePreview, programme: Programme) -> list[ShownExample]:
    """What a friend and the referrer get, by currency."""
    return [_example(each, programme) for each in preview.examples]


def _example(example: ExampleShape, programme: Programme) -> ShownExample:
    currency, after, before = example.currency, example.after, example.before

    def amount(text: str) -> str:
        return shown_decimal(Decimal(text), currency, SOURCE)

    def figure(name: str, old: str, new: str) -> Figure:
        return Figure(translate(SOURCE, name), "" if old == new else amount(old), amount(new))

    subtotal = Decimal(example.subtotal)
    return ShownExample(
        title=translate(SOURCE, "On an order of %(amount)s", amount=amount(example.subtotal)),
        sentence=_sentence(example, programme),
        figures=[
            figure("The friend pays", before.pays, after.pays),
            figure("The friend saves", before.off, after.off),
            figure("The referrer gets", before.reward, after.reward),
            figure(
                "Left for you",
                str(Decimal(before.pays) - Decimal(before.reward)),
                str(Decimal(after.pays) - Decimal(after.reward)),
            ),
        ]
        if subtotal
        else [],
    )


def _sentence(example: ExampleShape, programme: Programme) -> str:
    currency, after = example.currency, example.after

    def amount(text: str) -> str:
        return shown_decimal(Decimal(text), currency, SOURCE)

    if not after.counts:
        return translate(
            SOURCE, "An order of %(amount)s gets nothing by these terms.", amount=amount(example.subtotal)
        )
    pays = translate(
        SOURCE,
        "Ana’s friend pays %(pays)s instead of %(amount)s.",
        pays=amount(after.pays),
        amount=amount(example.subtotal),
    )
    if programme.reward.kind is RewardKind.none:
        return f"{pays} {translate(SOURCE, 'Ana gets our thanks.')}"
    days = programme.reward.hold_days
    if programme.reward.hold_from is HoldFrom.delivered:
        gets = translate_plural(
            SOURCE,
            "Ana gets %(reward)s one day after the delivery, if the order is kept.",
            "Ana gets %(reward)s %(num)s days after the delivery, if the order is kept.",
            days,
            reward=amount(after.reward),
        )
    else:
        gets = translate_plural(
            SOURCE,
            "Ana gets %(reward)s one day after the payment, if the order is kept.",
            "Ana gets %(reward)s %(num)s days after the payment, if the order is kept.",
            days,
            reward=amount(after.reward),
        )
    return f"{pays} {gets}"


def shown_past(preview: ProgrammePreview) -> list[str]:
    """What these terms would have cost with the orders that came, by currency."""
    return [_past(each) for each in preview.past]


def _past(past: PastShape) -> str:
    before = Decimal(past.before.discounts) + Decimal(past.before.rewards)
    after = Decimal(past.after.discounts) + Decimal(past.after.rewards)

    def amount(value: Decimal) -> str:
        return shown_decimal(value, past.currency, SOURCE)

    sentences = [
        translate_plural(
            SOURCE,
            "One friend’s order of the last %(days)s days would have cost %(after)s in discounts and rewards, instead of %(before)s.",
            "%(num)s friends’ orders of the last %(days)s days would have cost %(after)s in discounts and rewards, instead of %(before)s.",
            past.orders,
            days=PAST_DAYS,
            after=amount(after),
            before=amount(before),
        )
        if before != after
        else translate_plural(
            SOURCE,
            "One friend’s order of the last %(days)s days costs %(after)s in discounts and rewards.",
            "%(num)s friends’ orders of the last %(days)s days cost %(after)s in discounts and rewards.",
            past.orders,
            days=PAST_DAYS,
            after=amount(after),
        )
    ]
    return " ".join([*sentences, *_left_out(past.after)])


def _left_out(after: CostShape) -> list[str]:
    """Which of the orders would have brought less."""
    found = (*_uncounted(after), *_unrewarded(after))
    return [text for number, text in found if number]


def _uncounted(after: CostShape) -> tuple[tuple[int, str], ...]:
    """How many would not have counted, and the sentence about them, by reason."""
    return (
        (
            after.below_minimum,
            translate_plural(
                SOURCE,
                "One is below the minimum and would not have counted.",
                "%(num)s are below the minimum and would not have counted.",
                after.below_minimum,
            ),
        ),
        (
            after.beyond_uses,
            translate_plural(
                SOURCE,
                "One came after the last use of its code and would not have counted.",
                "%(num)s came after the last use of their code and would not have counted.",
                after.beyond_uses,
            ),
        ),
        (
            after.existing_customers,
            translate_plural(
                SOURCE,
                "One is of a friend who had ordered before and would not have counted.",
                "%(num)s are of friends who had ordered before and would not have counted.",
                after.existing_customers,
            ),
        ),
    )


def _unrewarded(after: CostShape) -> tuple[tuple[int, str], ...]:
    """How many would have brought no reward, and the sentence about them, by reason."""
    return (
        (
            after.capped,
            translate_plural(
                SOURCE,
                "One would have brought no reward, since its referrer had as many as they may have.",
                "%(num)s would have brought no reward, since their referrers had as many as they may have.",
                after.capped,
            ),
        ),
        (
            after.over_budget,
            translate_plural(
                SOURCE,
                "One would have brought no reward, since the budget was spent.",
                "%(num)s would have brought no reward, since the budget was spent.",
                after.over_budget,
            ),
        ),
    )
