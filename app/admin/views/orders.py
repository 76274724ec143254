"""Friends' orders as their list and their page show them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.admin.redemptions import RedemptionDetail
from app.admin.rules import BulkAction
from app.admin.texts import country_text
from app.base.i18n import N_, SOURCE, exact_decimal, translate, translate_plural
from app.customers.schemas import CustomerRow
from app.insight import words
from app.insight.alarm_rules import HELD_LONG
from app.insight.evidence import RedemptionEvidence
from app.insight.evidence_sentences import Compared, Found, Whose
from app.insight.words import word
from app.referrals.relink import RELINKED
from app.referrals.rules import RedemptionReason, RedemptionStatus, may_become
from app.referrals.schemas import RedemptionRow

TABS: dict[RedemptionStatus | None, str] = {
    None: N_("All"),
    RedemptionStatus.in_review: N_("To decide"),
    RedemptionStatus.pending: N_("Waiting"),
    RedemptionStatus.approved: N_("Counted"),
    RedemptionStatus.rejected: N_("Rejected"),
    RedemptionStatus.reversed: N_("Taken back"),
    RedemptionStatus.refused: N_("Not counted"),
}
_MARKS: dict[str, str] = {
    RedemptionStatus.in_review: "wait",
    RedemptionStatus.pending: "wait",
    RedemptionStatus.approved: "good",
}
EMPTY: dict[RedemptionStatus | None, str] = {
    RedemptionStatus.in_review: N_(
        "Nothing waits for you. What cannot be told from the referrer comes here."
    ),
    None: N_("They come when friends order with a referrer’s code or link."),
}
"""What fills a list without a filter."""
_LEFT_OUT = {
    "not_allowed": N_("It was decided meanwhile."),
    "order_undone": N_("The order was cancelled or refunded, so there is nothing left to reward."),
}
NO_MATCH = N_("No order is like this. Take a filter away to see more.")


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A row of the list."""

    id: str
    number: str
    code: str
    placed_at: datetime
    total: str
    off: str
    state: str
    mark: str
    reason: str
    held: str
    """How long it has waited for a person, once that is too long; else empty."""


@dataclass(frozen=True, slots=True)
class PersonCell:
    """A cell of the table of both persons; `is_same` marks what is equal."""

    text: str
    is_same: bool = False


@dataclass(frozen=True, slots=True)
class Signal:
    """A comparison: its mark (`no`, `good` or `wait`) with its word, and its sentence."""

    mark: str
    word: str
    text: str


def order_rows(rows: Iterable[RedemptionRow], *, now: datetime) -> list[OrderRow]:
    """The rows of the list."""
    return [_order_row(row, now) for row in rows]


def _held(row: RedemptionRow, now: datetime) -> str:
    waits = now - row.created_at
    if row.status != RedemptionStatus.in_review or waits < HELD_LONG:
        return ""
    return translate_plural(SOURCE, "for %(num)s day", "for %(num)s days", waits.days)


def _order_row(row: RedemptionRow, now: datetime) -> OrderRow:
    return OrderRow(
        id=row.id,
        number=row.order_number,
        code=row.code,
        placed_at=row.placed_at,
        total=_amount(row.order_total, row.currency),
        off=_amount(row.amount_off, row.currency),
        state=state_name(row.status),
        mark=state_mark(row.status),
        reason=word(SOURCE, words.REDEMPTION_REASONS, row.reason) if row.reason else "",
        held=_held(row, now),
    )


def bulk_actions(status: str) -> list[tuple[BulkAction, str]]:
    """What may be decided about all orders of a list in this state, in words."""
    if status not in set(RedemptionStatus):
        return []
    found = RedemptionStatus(status)
    names = {
        BulkAction.approve: (RedemptionStatus.approved, N_("Let all of these count…")),
        BulkAction.reject: (RedemptionStatus.rejected, N_("Do not count these…")),
    }
    return [(action, name) for action, (wanted, name) in names.items() if may_become(found, wanted)]


def why_left_out(code: str) -> str:
    """Why a decision about many left this order as it is."""
    text = _LEFT_OUT.get(code)
    return translate(SOURCE, text) if text else code


def state_name(status: str) -> str:
    """The word for a state."""
    return translate(SOURCE, TABS[RedemptionStatus(status)])


def state_mark(status: str) -> str:
    """The mark of a state."""
    return _MARKS.get(status, "no")


def reason_choices() -> list[tuple[str, str]]:
    """The reasons that can be asked for, each with its words."""
    found = [(each.value, word(SOURCE, words.REDEMPTION_REASONS, each)) for each in RedemptionReason]
    return sorted(found, key=lambda it: it[1])


def signals(evidence: RedemptionEvidence) -> list[Signal]:
    """The evidence, what speaks against the order first."""
    marks = {
        Found.against: ("no", translate(SOURCE, "against")),
        Found.clear: ("good", translate(SOURCE, "clear")),
        Found.unknown: ("wait", translate(SOURCE, "not known")),
    }
    found = sorted(evidence.findings, key=lambda it: list(marks).index(it.found))
    return [Signal(*marks[each.found], each.text) for each in found]


def both_persons(evidence: RedemptionEvidence) -> list[tuple[str, PersonCell, PersonCell]]:
    """The referrer and the friend side by side: what it is, the one's, the other's."""
    owner, friend = evidence.referrer, evidence.friend
    found = {each.compared: each for each in evidence.findings}
    rows = [
        (
            translate(SOURCE, name),
            *_cells(owner, friend, field, is_same=found[compared].found is Found.against),
        )
        for name, field, compared in (
            (N_("E-mail"), lambda it: it.email, Compared.email),
            (N_("Phone"), lambda it: it.phone, Compared.phone),
        )
    ]
    for name, compared in (
        (N_("Address"), Compared.address),
        (N_("Paid by"), Compared.payment),
        (N_("Account"), Compared.account),
    ):
        it = found[compared]
        is_same = it.found is Found.against and it.whose is Whose.referrer
        text = (
            translate(SOURCE, "the same")
            if is_same
            else translate(SOURCE, "not known" if it.found is Found.unknown else "different")
        )
        rows.append((translate(SOURCE, name), PersonCell(text, is_same), PersonCell(text, is_same)))
    rows.append(
        (
            translate(SOURCE, "Country"),
            *_cells(owner, friend, lambda it: it.country and country_text(it.country), is_same=False),
        )
    )
    return rows


def _cells(
    owner: CustomerRow | None,
    friend: CustomerRow | None,
    field: Callable[[CustomerRow], str | None],
    *,
    is_same: bool,
) -> tuple[PersonCell, PersonCell]:
    missing = translate(SOURCE, "not known")
    texts = [(one and field(one)) or missing for one in (owner, friend)]
    return PersonCell(texts[0], is_same), PersonCell(texts[1], is_same)


def person_name(person: CustomerRow | None) -> str:
    """Their name or address as the reader may see it."""
    if person is None:
        return translate(SOURCE, "nobody known")
    return person.name or person.email or person.phone or translate(SOURCE, "a customer")


def may_approve(it: RedemptionDetail) -> bool:
    """Whether it can be made to count."""
    return may_become(RedemptionStatus(it.status), RedemptionStatus.approved)


def may_reject(it: RedemptionDetail) -> bool:
    """Whether it can be made not to count."""
    return may_become(RedemptionStatus(it.status), RedemptionStatus.rejected)


def may_relink(it: RedemptionDetail) -> bool:
    """Whether it can be credited to another referrer."""
    return RedemptionStatus(it.status) in RELINKED


def earlier_states(it: RedemptionDetail) -> Sequence[str]:
    """What it was before, oldest first."""
    return [
        translate(
            SOURCE,
            "Before that it %(status)s%(because)s.",
            status=word(SOURCE, words.EARLIER_REDEMPTIONS, each.status),
            because=f" ({word(SOURCE, words.REDEMPTION_REASONS, each.reason)})" if each.reason else "",
        )
        for each in it.earlier
    ]


def _amount(amount: str, currency: str) -> str:
    return exact_decimal(Decimal(amount), currency, SOURCE)
