"""The frame around every screen: who is signed in, their brand and shops, the menu, the message.

A screen's route gets a `Frame`, asks its steps for numbers and rows, and returns `frame.page(…)`.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict, Unpack
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app.admin.csrf import csrf_field
from app.admin.dashboard import flash as flashes
from app.admin.dashboard.flash import Flash, Tone, opened_flash, sealed_flash
from app.admin.dashboard.menu import Badge, badges_of, shown_menu
from app.admin.frame_facts import FrameFacts, load_frame_facts
from app.admin.icons import icon
from app.admin.rules import Role, includes, may_see_shop, sees_people
from app.admin.staff import SignedIn
from app.admin.texts import ROLE_NAMES, moment_text, short_day_text
from app.base.config import EmailProvider, SmsProvider
from app.base.context import AppContext
from app.base.i18n import SOURCE, long_date, shown_amount, translate
from app.base.web.pages import page
from app.brands.appearance import logo_of
from app.brands.find import load_brand, load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.insight.waiting import Waiting, open_responses, redemptions_in_review

LANGUAGE = SOURCE
"""The dashboard is in English only: a staff member has no language yet."""
SHOP = "shop"
"""The name of the shop in a page's address."""


class PageOptions(TypedDict):
    """What a page may say about itself beside its values."""

    by_shop: NotRequired[bool]
    """Whether the page shows the chosen shop alone; else it says that it shows all shops."""
    status: NotRequired[int]
    headers: NotRequired[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Frame:
    """Who opens a screen, and all that a screen needs to answer them."""

    request: Request
    context: AppContext
    session: AsyncSession
    """Committed before the response is sent, as every route's."""
    staff: SignedIn
    brand: Brand
    shops: list[Shop]
    shop: Shop | None
    """The chosen one; None for all shops."""
    waiting: Mapping[Badge, Waiting]
    """What waits, by the badges that are shown to who is signed in."""
    sends_nothing: list[Channel]
    """The channels of which the outbox takes everything."""

    @property
    def counts(self) -> dict[Badge, int]:
        """How many wait, by badge."""
        return {badge: each.count for badge, each in self.waiting.items()}

    @property
    def sees_people(self) -> bool:
        """Whether names and addresses are shown."""
        return sees_people(self.staff.role)

    @property
    def zone(self) -> ZoneInfo:
        """The brand's."""
        return ZoneInfo(self.brand.time_zone)

    def may(self, role: Role) -> bool:
        """Whether who is signed in may do what this role may."""
        return includes(self.staff.role, role)

    def serves(self, path: str) -> bool:
        """Whether the application has this page, so that a link to it leads somewhere."""
        return path in _served(self.request)

    def url(self, path: str, **query: object) -> str:
        """A page's address with this query; the chosen shop is kept. None leaves a name out."""
        kept = {SHOP: self.shop.slug if self.shop else None, **query}
        pairs = [(name, str(value)) for name, value in kept.items() if value is not None]
        if not pairs:
            return path
        return f"{path}{'&' if '?' in path else '?'}{_encoded(pairs)}"

    def here(self, **changes: object) -> str:
        """This page's address with changed parts of its query; None takes a name out.

        The cursor goes too, unless it is given: another filter begins with the first page.
        """
        query: dict[str, object] = {**self.request.query_params, "cursor": None, **changes}
        pairs = [(name, str(value)) for name, value in query.items() if value is not None]
        path = self.request.url.path
        return f"{path}?{_encoded(pairs)}" if pairs else path

    def moment(self, at: datetime) -> str:
        """`3 Mar 2026, 14:05` in the brand's zone."""
        return moment_text(at.astimezone(self.zone), LANGUAGE)

    def day(self, at: datetime) -> str:
        """`3 March 2026` in the brand's zone."""
        return long_date(at.astimezone(self.zone).date(), LANGUAGE)

    def short_day(self, at: datetime) -> str:
        """`3 Mar 2026` in the brand's zone, for columns."""
        return short_day_text(at.astimezone(self.zone).date(), LANGUAGE)

    def amount(self, minor: int, currency: str) -> str:
        """An amount in minor units, exact: `€10`, `€9.50`."""
        return shown_amount(minor, currency, LANGUAGE)

    def page(
        self, template: str, screen: str, values: Mapping[str, object], **options: Unpack[PageOptions]
    ) -> Response:
        """The screen with this key of the menu; shows and removes the message of a redirect."""
        cookie = self.request.cookies.get(flashes.COOKIE)
        message = opened_flash(self.context.tokens, self.staff.staff_id, cookie) if cookie else None
        shown = page(
            template,
            {**self._values(screen, by_shop=options.get("by_shop", False)), "flash": message, **values},
            status=options.get("status", 200),
            headers=options.get("headers"),
        )
        if cookie:
            shown.delete_cookie(flashes.COOKIE, path="/")
        return shown

    def redirect(self, path: str, message: str = "", tone: Tone = Tone.done) -> Response:
        """Lead to a page of the dashboard after a form; the page shows the message once."""
        response = RedirectResponse(path, 303)
        if message:
            value = sealed_flash(self.context.tokens, self.staff.staff_id, Flash(message, tone))
            secure = self.context.settings.public_url.startswith("https://")
            response.set_cookie(
                flashes.COOKIE, value, flashes.SECONDS, path="/", httponly=True, samesite="lax", secure=secure
            )
        return response

    def _values(self, screen: str, *, by_shop: bool) -> dict[str, object]:
        return {
            "menu": shown_menu(_served(self.request), self.staff.role, screen, self.counts),
            "brand_name": self.brand.name,
            "brand_logo": logo_of(self.brand),
            "shops": self.shops,
            "shop": self.shop,
            "by_shop": by_shop,
            "signed_in": self.staff.email,
            "csrf_field": csrf_field(self.staff),
            "role_name": translate(LANGUAGE, ROLE_NAMES[self.staff.role]),
            "sends_nothing": self.sends_nothing,
            "zone": self.brand.time_zone,
            "icon": icon,
            "may": lambda role: self.may(Role(role)),
            "serves": self.serves,
            "url": self.url,
            "here": self.here,
            "moment": self.moment,
            "day": self.day,
            "short_day": self.short_day,
            "amount": self.amount,
        }


def _encoded(pairs: Sequence[tuple[str, str]]) -> str:
    """A query as `urlencode` writes it, which does not ask whether there is anything to encode."""
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in pairs])


def _quoted(text: str) -> str:
    return text if _is_plain(text) else quote_plus(text)


_is_plain = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


async def load_frame(request: Request, context: AppContext, session: AsyncSession, staff: SignedIn) -> Frame:
    """The frame of this request. A form gets a brand and shops of its session, to be changed."""
    facts = await load_frame_facts(session, staff.brand_id)
    brand, known = facts.brand, facts.shops
    if request.method != "GET":
        brand, known = await load_brand(session, brand.id), await load_shops(session, brand.id)
    shops = [shop for shop in known.values() if may_see_shop(staff.shops, shop.id)]
    slug = request.query_params.get(SHOP)
    return Frame(
        request=request,
        context=context,
        session=session,
        staff=staff,
        brand=brand,
        shops=shops,
        shop=next((shop for shop in shops if shop.slug == slug), None),
        waiting=await _waiting(session, staff, facts, badges_of(_served(request))),
        sends_nothing=_channels_of_the_outbox(context, facts),
    )


async def _waiting(
    session: AsyncSession, staff: SignedIn, facts: FrameFacts, badges: Collection[Badge]
) -> dict[Badge, Waiting]:
    """What waits for who is signed in; of their shops alone where they are limited to some."""
    found = {}
    if Badge.in_review in badges:
        found[Badge.in_review] = (
            facts.in_review
            if staff.shops is None
            else await redemptions_in_review(session, staff.brand_id, staff.shops)
        )
    if Badge.open_responses in badges:
        found[Badge.open_responses] = (
            facts.open_responses
            if staff.shops is None
            else await open_responses(session, staff.brand_id, staff.shops)
        )
    return found


def _channels_of_the_outbox(context: AppContext, facts: FrameFacts) -> list[Channel]:
    """The channels whose messages go to the outbox, as the brand has no account of its own."""
    settings = context.settings
    kept = [Channel.email] * (settings.email_provider is EmailProvider.outbox)
    kept += [Channel.sms] * (settings.sms_provider is SmsProvider.outbox)
    return [channel for channel in kept if channel not in facts.own_channels]


def _served(request: Request) -> frozenset[str]:
    """The paths of all screens; none for a screen outside of `app.admin.dashboard.screens`."""
    return getattr(request.scope.get("route"), "served_paths", frozenset())
