"""A friend's landing page: the offer behind a share link, and the visit that opening it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.base.tokens import Tokens, slug_brand
from app.brands.find import is_in_force, read_programme
from app.brands.models import Brand, ProgrammeVersion, Shop
from app.brands.rules import zone_or
from app.brands.terms import load_terms
from app.customers.models import Customer
from app.customers.names import shown_name
from app.platforms.registry import adapter_of
from app.referrals.models import Code, Referrer, Visit
from app.referrals.offer_texts import OfferTexts, offer_texts, reader_of
from app.referrals.publication_models import CodePublication
from app.referrals.rules import CodeStatus, PublicationState
from app.referrals.share import has_present_code, in_home_shop, status_of

_BROWSER = re.compile(r"(?:Mozilla|Opera)/\d")
"""How every browser names itself, in-app browsers too; scripts and mail scanners often do not."""
_MACHINES = re.compile(
    r"bot\b|crawl|spider|slurp|preview|facebookexternalhit|whatsapp/|embedly|headless|lighthouse|"
    r"scan|monitor|pingdom|uptime|phantom|selenium|curl|python|https?://",
    re.IGNORECASE,
)
"""User agents that are no person: search engines, messengers that preview a link, and checkers; a
web address in one is that of a program's documentation."""


@dataclass(frozen=True, slots=True)
class FriendOffer:
    """What a friend's landing page shows, as text."""

    brand: Brand
    referrer_id: UUID
    first_name: str | None
    """The referrer's."""
    code: str
    texts: OfferTexts
    shop_name: str
    link: str | None
    """To the shop with the code applied; None for a shop without an address."""


async def find_offer(session: AsyncSession, slug: str, *, now: datetime) -> FriendOffer | None:
    """The offer behind a share slug.

    None for an unknown slug and for a code that cannot be used now.
    """
    brand_id = slug_brand(slug)
    if brand_id is None:
        return None
    row = (await session.execute(_LIVE_OFFER, {"brand_id": brand_id, "slug": slug})).first()
    if row is None or status_of(row.Code, now=now) is not CodeStatus.active:
        return None
    programme = read_programme(row.terms)
    if not programme.redemptions_enabled or not programme.runs_at(now):
        return None
    code, shop = row.Code, row.Shop
    terms = (await load_terms(session, brand_id, [code.terms_id]))[code.terms_id]
    return FriendOffer(
        brand=row.Brand,
        referrer_id=code.referrer_id,
        first_name=shown_name(row.first_name),
        code=code.display,
        # Nothing is known of the friend, so the page is in the brand's language.
        texts=offer_texts(code, terms, reader_of(row.Brand)),
        shop_name=shop.name,
        link=None if shop.url is None else adapter_of(shop.platform).shop_link(shop.url, code.display, slug),
    )


_LIVE_OFFER = (
    select(Code, Brand, Shop, Customer.first_name, ProgrammeVersion.terms)
    .select_from(Referrer)
    .join(Code, has_present_code())
    .join(CodePublication, in_home_shop())
    .join(Brand, Brand.id == Referrer.brand_id)
    .join(ProgrammeVersion, is_in_force(bindparam("brand_id")))
    .join(Shop, (Shop.brand_id == Referrer.brand_id) & (Shop.id == Referrer.shop_id))
    .outerjoin(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
    .where(
        Referrer.brand_id == bindparam("brand_id"),
        Referrer.slug == bindparam("slug"),
        Referrer.revoked_at.is_(None),
        CodePublication.state == PublicationState.live,
    )
)
"""The present code of the link's referrer, where it is live in their shop."""


def is_visit(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request may be a person's: a browser's GET of a page, no prefetch, no program."""
    purpose = " ".join(
        headers.get(name, "") for name in ("purpose", "sec-purpose", "x-purpose", "x-moz")
    ).lower()
    if method != "GET" or "prefetch" in purpose or "preview" in purpose:
        return False
    if headers.get("sec-fetch-dest", "document") != "document":
        return False
    agent = headers.get("user-agent", "")
    return _BROWSER.match(agent) is not None and _MACHINES.search(agent) is None


async def record_visit(
    session: AsyncSession, tokens: Tokens, offer: FriendOffer, visitor: str, *, now: datetime
) -> None:
    """Count a person who opened the link, once on each day of the brand's zone.

    `visitor` is what tells people apart: network and browser. Only a keyed hash is stored.
    """
    day = now.astimezone(zone_or(offer.brand.time_zone, "UTC")).date()
    await session.execute(
        insert(Visit)
        .values(
            brand_id=offer.brand.id,
            id=new_id(),
            referrer_id=offer.referrer_id,
            visitor=tokens.visitor_key(offer.referrer_id, day, visitor),
            at=now,
        )
        .on_conflict_do_nothing()
    )
