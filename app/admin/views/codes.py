"""Codes in words: the lines of the list, and what the page of one shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.admin.codes import CodeDetail, CodeState
from app.base.i18n import N_, SOURCE, shown_decimal, shown_percent, translate
from app.brands.programme import DiscountKind
from app.insight import words
from app.insight.words import word
from app.messaging.rules import RESENDABLE_STATUSES
from app.referrals.rules import CodeKind, CodeStatus, PublicationState
from app.referrals.schemas import CodeRow

TABS: dict[CodeState | None, str] = {
    None: N_("All"),
    CodeState.suspected: N_("Perhaps leaked"),
    CodeState.not_live: N_("Not in the shop"),
    CodeState.ended: N_("Expired"),
    CodeState.disabled: N_("Disabled"),
}
EMPTY: dict[CodeState | None, str] = {
    None: N_("Who answers 9 or 10 gets a code, which appears here."),
    CodeState.suspected: N_("A code that strangers seem to use would be here."),
    CodeState.not_live: N_("Every code works in its shop."),
    CodeState.ended: N_("Every referrer’s code is good for some time yet."),
    CodeState.disabled: N_("Nobody has disabled or replaced a code."),
}
NO_MATCH = N_("No code is like this. Take a filter away to see more.")
KINDS = {
    CodeKind.share: N_("shared by a referrer"),
    CodeKind.friend: N_("one friend’s"),
    CodeKind.reward: N_("a referrer’s reward"),
}
_STATES = {
    CodeStatus.active: ("good", N_("in use")),
    CodeStatus.expired: ("no", N_("expired")),
    CodeStatus.disabled: ("no", N_("disabled")),
    CodeStatus.exhausted: ("wait", N_("used up")),
}
_PLACES = {
    PublicationState.live: ("good", N_("works")),
    PublicationState.wanted: ("wait", N_("on its way")),
    PublicationState.sending: ("wait", N_("on its way")),
    PublicationState.failed: ("no", N_("refused")),
    PublicationState.revoking: ("wait", N_("leaving")),
    PublicationState.revoked: ("no", N_("gone")),
}


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A code as a line; texts are empty where there is nothing to say."""

    id: str
    code: str
    kind: str
    owner: str
    person: str
    """The page of the owner; empty for a referrer who is no customer."""
    uses: str
    worth: str
    until: datetime
    state: str
    mark: str


@dataclass(frozen=True, slots=True)
class ShownPlace:
    """A shop, and whether the code works there."""

    shop: str
    state: str
    mark: str
    text: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message that told the referrer of the code."""

    id: str
    channel: str
    state: str
    at: datetime
    may_resend: bool


def code_rows(rows: Iterable[CodeRow]) -> list[ShownCode]:
    """The lines of the list."""
    return [code_line(row) for row in rows]


def code_line(row: CodeRow) -> ShownCode:
    """One code as a line."""
    mark, state = _STATES[CodeStatus(row.status)]
    kind = KINDS.get(CodeKind(row.kind), row.kind)
    return ShownCode(
        id=row.id,
        code=row.code,
        kind=translate(SOURCE, kind),
        owner=row.name or translate(SOURCE, "A customer" if row.customer else "No customer"),
        person=f"/admin/customers/{row.customer}" if row.customer else "",
        uses=translate(SOURCE, "%(uses)s of %(most)s", uses=row.uses, most=row.max_uses),
        worth=_worth(row),
        until=row.expires_at,
        state=translate(SOURCE, state),
        mark=mark,
    )


def _worth(row: CodeRow) -> str:
    value = Decimal(row.discount.value)
    if row.discount.kind == DiscountKind.percent:
        return shown_percent(value.normalize(), SOURCE)
    return shown_decimal(value, row.discount.currency, SOURCE)


def places(detail: CodeDetail) -> list[ShownPlace]:
    """Where the code works."""
    shown = []
    for each in detail.places:
        mark, state = _PLACES[PublicationState(each.state)]
        shown.append(ShownPlace(each.name, translate(SOURCE, state), mark, each.text, each.live_at))
    return shown


def messages(detail: CodeDetail) -> list[ShownMessage]:
    """The messages about the code, the latest first."""
    return [
        ShownMessage(
            id=each.id,
            channel=word(SOURCE, words.CHANNELS, each.channel),
            state=word(SOURCE, words.MESSAGES, each.status),
            at=each.sent_at or each.due_at,
            may_resend=each.status in RESENDABLE_STATUSES,
        )
        for each in detail.messages
    ]


def may_replace(detail: CodeDetail) -> bool:
    """Whether it can be replaced by a new one."""
    usable = (CodeStatus.active, CodeStatus.exhausted)
    return detail.kind == CodeKind.share and detail.status in usable


def may_disable(detail: CodeDetail) -> bool:
    """Whether it can be disabled."""
    return detail.disabled_at is None and detail.status != CodeStatus.disabled


def may_issue_again(detail: CodeDetail) -> bool:
    """Whether its referrer may need another one: whether they have one already, the step tells."""
    return detail.kind == CodeKind.share and detail.status != CodeStatus.active
