"""The offer behind a share link, as a friend's landing page shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Text, bindparam, cast, or_, select

from app.base.prepared import Prepared, Session
from app.base.text import isolated
from app.base.tokens import slug_brand
from app.brands.find import is_in_force, read_terms
from app.brands.models import Brand, ProgrammeVersion, Shop
from app.brands.programme import Programme
from app.brands.setup import as_text, read_brand, read_shop
from app.brands.terms import load_terms
from app.customers.models import Customer
from app.customers.names import shown_name
from app.platforms.registry import adapter_of
from app.referrals.code_state import has_present_code, in_home_shop, status_of
from app.referrals.models import Code, Referrer
from app.referrals.offer_texts import OfferTexts, offer_texts, reader_of
from app.referrals.publishing.models import CodePublication
from app.referrals.rules import CodeStatus, PublicationState
from app.referrals.shown import ShownCode, columns_of


@dataclass(frozen=True, slots=True)
class FriendOffer:
    """What a friend's landing page shows, as text."""

    brand: Brand
    shop: Shop
    share: ShownCode
    """The referrer's share code."""
    slug: str
    first_name: str | None
    """The referrer's."""
    texts: OfferTexts
    code: str | None = None
    """None for a friend who has not asked for a code of their own, or whose shop does not know it
    yet."""
    is_pending: bool = False
    """Whether the shop does not know the code yet that all friends share."""

    @property
    def referrer_id(self) -> UUID:
        """Whose link it is."""
        return self.share.referrer_id

    @property
    def per_friend(self) -> bool:
        """Whether each friend gets a code of their own."""
        return not self.share.redeemable

    @property
    def uses_left(self) -> int:
        """How many more orders count by the link, at least one."""
        return self.share.max_uses - self.share.uses

    @property
    def link(self) -> str | None:
        """To the shop with the code applied; None without a code or an address of the shop."""
        if self.shop.url is None or self.code is None:
            return None
        return adapter_of(self.shop.platform).shop_link(self.shop.url, self.code, self.slug)


async def find_offer(session: Session, slug: str, *, now: datetime, lock: bool = False) -> FriendOffer | None:
    """The offer behind a share slug; with `lock` its share code is locked until the commit.

    None for an unknown slug and for a code that cannot be used now.
    """
    brand_id = slug_brand(slug)
    if brand_id is None:
        return None
    query = _LOCKED_OFFER if lock else _LIVE_OFFER
    row = await query.first(session, brand_id=brand_id, slug=slug)
    if row is None or status_of(row.code, now=now) is not CodeStatus.active:
        return None
    if not row.programme.redemptions_enabled or not row.programme.runs_at(now):
        return None
    code = row.code
    is_pending = code.redeemable and row.state is not PublicationState.live
    terms = (await load_terms(session, brand_id, [code.terms_id]))[code.terms_id]
    return FriendOffer(
        brand=row.brand,
        shop=row.shop,
        share=code,
        slug=slug,
        first_name=isolated(shown_name(row.first_name) or "") or None,
        # Nothing is known of the friend, so the page is in the brand's language.
        texts=offer_texts(code, terms, reader_of(row.brand)),
        code=code.display if code.redeemable and not is_pending else None,
        is_pending=is_pending,
    )


class _OfferRow(NamedTuple):
    brand: Brand
    shop: Shop
    programme: Programme
    first_name: str | None
    state: PublicationState | None
    code: ShownCode


def _offer_row(  # the columns of the query, in order
    brand: str,
    shop: str,
    terms: str,
    first_name: str | None,
    state: PublicationState | None,
    *code: Any,
) -> _OfferRow:
    return _OfferRow(
        read_brand(brand), read_shop(shop), read_terms(terms), first_name, state, ShownCode(*code)
    )


_HAS_CODE = (PublicationState.live, PublicationState.wanted, PublicationState.sending)
"""The states of a code that friends have, or get in a moment."""


_offer = (
    select(
        as_text(Brand),
        as_text(Shop),
        cast(ProgrammeVersion.terms, Text),
        Customer.first_name,
        CodePublication.state,
        *columns_of(Code, ShownCode),
    )
    .select_from(Referrer)
    .join(Code, has_present_code())
    .outerjoin(CodePublication, in_home_shop())
    .join(Brand, Brand.id == Referrer.brand_id)
    .join(ProgrammeVersion, is_in_force(bindparam("brand_id")))
    .join(Shop, (Shop.brand_id == Referrer.brand_id) & (Shop.id == Referrer.shop_id))
    .outerjoin(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
    .where(
        Referrer.brand_id == bindparam("brand_id"),
        Referrer.slug == bindparam("slug"),
        Referrer.revoked_at.is_(None),
        or_(CodePublication.state.in_(_HAS_CODE), Code.redeemable.is_(False)),
    )
)
_LIVE_OFFER = Prepared(_offer, _offer_row)
_LOCKED_OFFER = Prepared(_offer.with_for_update(key_share=True, of=Code), _offer_row)
"""The present code of the link's referrer, where friends can have it or one of their own."""
