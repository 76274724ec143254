"""Draw share codes: what a new one is under the terms in force, before it is written."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.base.ids import new_id
from app.base.tokens import named_code, plain_code, random_code
from app.brands.amount_rules import amount_in
from app.brands.find import ProgrammeInForce
from app.brands.models import Shop
from app.brands.programme import CodePer, CodeStyle
from app.customers.names import shown_name
from app.referrals.models import Code, Referrer
from app.referrals.publishing.pool import PooledCode
from app.referrals.rules import CodeKind, first_publication_state


@dataclass(frozen=True, slots=True)
class ShareCode:
    """A referrer's active code, and whether their link works.

    So it does once their shop knows the code, or where each friend gets a code by the link.
    """

    code: Code
    is_live: bool


@dataclass(frozen=True, slots=True)
class CodeTerms:
    """What new codes are made under."""

    in_force: ProgrammeInForce
    shops: Mapping[UUID, Shop]
    """Those of the referrers, by id."""
    names: Mapping[UUID, str | None]
    """First names by customer."""
    publishing: Collection[UUID] = ()
    """The shops into which codes are put before they work."""
    urgent: bool = True
    """Whether somebody waits for the codes."""
    trials: Collection[UUID] = ()
    """The customers whose response was to a trial's survey."""
    pooled: dict[UUID, list[PooledCode]] = field(default_factory=dict)
    """Codes that their shop knows, by shop, locked; each is used up by one draft."""

    def next_pooled(self, shop_id: UUID) -> PooledCode | None:
        """A code of the shop's pool that no other draft has; None where there is none."""
        left = self.pooled.get(shop_id)
        return left.pop() if left else None


@dataclass(frozen=True, slots=True)
class CodeDraft:
    """A referrer and a code for them, drawn and not written yet."""

    referrer: Referrer
    code: Code
    terms: CodeTerms
    pooled: bool

    @property
    def share_code(self) -> ShareCode:
        """The code as it is once it is written."""
        return ShareCode(self.code, not self._publishes or not self.code.redeemable)

    @property
    def _publishes(self) -> bool:
        return not self.pooled and self.referrer.shop_id in self.terms.publishing

    def values(self) -> dict[str, object]:
        """The values by which `new_codes` writes both."""
        referrer, code = self.referrer, self.code
        return {
            "referrer_id": referrer.id,
            "customer_id": referrer.customer_id,
            "slug": referrer.slug,
            "survey_id": referrer.survey_id,
            "shop_id": referrer.shop_id,
            "code_id": code.id,
            "code": code.code,
            "display": code.display,
            "redeemable": code.redeemable,
            "terms_id": code.terms_id,
            "discount_kind": code.discount_kind,
            "discount_value": str(code.discount_value),
            "currency": code.currency,
            "minimum_subtotal": None if code.minimum_subtotal is None else str(code.minimum_subtotal),
            "max_uses": code.max_uses,
            "expires_at": code.expires_at,
            "state": first_publication_state(publishes=self._publishes),
            "due_at": code.starts_at if self._publishes else None,
            "urgent": self.terms.urgent,
            "trial": referrer.customer_id in self.terms.trials,
        }


def draft_codes(referrers: Iterable[Referrer], terms: CodeTerms, *, now: datetime) -> dict[UUID, CodeDraft]:
    """A draft for each of these referrers, by the code's id."""
    drafts = [_draft(each, terms, now=now) for each in referrers]
    return {draft.code.id: draft for draft in drafts}


def _draft(referrer: Referrer, terms: CodeTerms, *, now: datetime) -> CodeDraft:
    """A code of the shop's pool where one is left, else a new one, as the terms say.

    It works from `now` for `valid_days`.
    """
    offer, shop = terms.in_force.programme.offer, terms.shops[referrer.shop_id]
    minimum = offer.minimum_subtotal
    name = None if referrer.customer_id is None else terms.names[referrer.customer_id]
    per_friend = offer.code_per is CodePer.friend
    # Nobody is told a code that cannot be entered, so there is no name in it.
    named = offer.code_style is CodeStyle.named and not per_friend
    pooled = None if named else terms.next_pooled(shop.id)
    display = _new_display(name, named=named) if pooled is None else pooled.display
    code = Code(
        brand_id=referrer.brand_id,
        id=new_id() if pooled is None else pooled.code_id,
        referrer_id=referrer.id,
        kind=CodeKind.share,
        code=plain_code(display),
        display=display,
        terms_id=terms.in_force.terms_id,
        discount_kind=offer.friend_discount.kind,
        discount_value=amount_in(offer.friend_discount.value, shop.currency),
        currency=shop.currency,
        minimum_subtotal=None if minimum is None else amount_in(minimum, shop.currency),
        max_uses=offer.max_uses_per_code,
        uses=0,
        redeemable=not per_friend,
        active=True,
        starts_at=now,
        expires_at=now + timedelta(days=offer.valid_days),
    )
    return CodeDraft(referrer, code, terms, pooled is not None)


def _new_display(name: str | None, *, named: bool) -> str:
    return named_code(shown_name(name) or "") if named else random_code()
