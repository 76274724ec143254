"""A friend's landing page: the offer behind a share link, and the visit that opening it is."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Text, bindparam, cast, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.base.ids import new_id
from app.base.prepared import Prepared, Session
from app.base.text import isolated
from app.base.tokens import Tokens, slug_brand
from app.base.touched import touch_with
from app.brands.find import is_in_force, read_terms
from app.brands.models import Brand, ProgrammeVersion, Shop
from app.brands.programme import Programme
from app.brands.rules import zone_or
from app.brands.setup import as_text, read_brand, read_shop
from app.brands.terms import load_terms
from app.customers.models import Customer
from app.customers.names import shown_name
from app.platforms.registry import adapter_of
from app.referrals.code_state import has_present_code, in_home_shop, status_of
from app.referrals.models import Code, Referrer
from app.referrals.offer_texts import OfferTexts, offer_texts, reader_of
from app.referrals.publication_models import CodePublication
from app.referrals.rules import CodeStatus, PublicationState
from app.referrals.shown import ShownCode, columns_of
from app.referrals.visit_models import Visit

_BROWSER = re.compile(r"(?:Mozilla|Opera)/\d")
"""How every browser names itself, in-app browsers too; scripts and mail scanners often do not."""
_MACHINES = re.compile(
    r"bot\b|crawl|spider|slurp|preview|facebookexternalhit|whatsapp/|embedly|headless|lighthouse|"
    r"scan|monitor|pingdom|uptime|phantom|selenium|curl|python|https?://",
    re.IGNORECASE,
)
"""User agents that are no person: search engines, messengers that preview a link, and checkers; a
web address in one is that of a program's documentation."""
_MOST_READ = 1024
"""Characters of a user agent that are read; a browser's has some hundred."""


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


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opens a link on a day of the brand's zone, as keyed hashes of the link and the day."""

    key: bytes
    """Of their network and browser."""
    make_network: Callable[[], bytes]
    """Of their network alone, which only a friend's own code asks for."""
    day_began: datetime

    @property
    def network(self) -> bytes:
        """Of their network alone."""
        return self.make_network()


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


def is_visit(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request may be a person's: a browser's GET of a page, no prefetch, no program."""
    purpose = " ".join(
        headers.get(name, "") for name in ("purpose", "sec-purpose", "x-purpose", "x-moz")
    ).lower()
    if method != "GET" or "prefetch" in purpose or "preview" in purpose:
        return False
    if headers.get("sec-fetch-dest", "document") != "document":
        return False
    return _is_browser(headers.get("user-agent", "")[:_MOST_READ])


@lru_cache(maxsize=1024)
def _is_browser(agent: str) -> bool:
    return _BROWSER.match(agent) is not None and _MACHINES.search(agent) is None


def visitor_of(tokens: Tokens, offer: FriendOffer, network: str, browser: str, *, now: datetime) -> Visitor:
    """What tells people apart: network and browser; neither can be read from the hashes."""
    zone = zone_or(offer.brand.time_zone, "UTC")
    day = now.astimezone(zone).date()
    return Visitor(
        key=tokens.visitor_key(offer.referrer_id, day, f"{network} {browser}"),
        make_network=lambda: tokens.visitor_key(offer.referrer_id, day, f"network {network}"),
        day_began=datetime.combine(day, time(), tzinfo=zone),
    )


async def record_visit(session: Session, offer: FriendOffer, visitor: Visitor, *, now: datetime) -> None:
    """Count a person who opened the link, once on each day of the brand's zone."""
    await _VISIT.run(
        session,
        brand_id=offer.brand.id,
        id=new_id(),
        referrer_id=offer.referrer_id,
        visitor=visitor.key,
        at=now,
    )


_VISITED = ("brand_id", "id", "referrer_id", "visitor", "at")
_visit = (
    insert(Visit)
    .values({name: bindparam(name) for name in _VISITED})
    .on_conflict_do_nothing()
    .returning(Visit.brand_id, Visit.referrer_id)
    .cte("visit")
)
_VISIT = Prepared(touch_with("referrers", _visit.c.brand_id, _visit.c.referrer_id), tuple)
