"""What a referrer hands on: the link, a text that ends with its disclosure, and the link as a QR code."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

import segno
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.find import load_programme_versions
from app.brands.models import Brand
from app.brands.programme import DiscountKind, Programme, RewardKind
from app.referrals.models import Code, Referrer
from app.referrals.rules import CodeStatus, amount_text, code_status


@dataclass(frozen=True, slots=True)
class Share:
    """The values of `templates/web/_share.html`: give it every field by its name.

    `code` is None while the shop does not know it yet. `share_text` holds the link and ends with the disclosure, which is shown
    under the buttons too.
    """

    share_url: str
    share_text: str
    code: str | None
    discount: str
    reward: str | None
    """What the referrer gets for a friend's order; None for thanks alone."""
    disclosure: str
    qr: Markup

    def values(self) -> dict[str, object]:
        """The fields by name, for a template."""
        return {
            "share_url": self.share_url,
            "share_text": self.share_text,
            "code": self.code,
            "discount": self.discount,
            "reward": self.reward,
            "disclosure": self.disclosure,
            "qr": self.qr,
        }


async def find_share(
    session: AsyncSession, public_url: str, brand: Brand, customer_id: UUID, *, now: datetime
) -> Share | None:
    """What this customer may share at `now`; None for who is no referrer or has no code that works."""
    row = (
        await session.execute(
            select(Referrer, Code)
            .join(
                Code,
                (Code.brand_id == Referrer.brand_id)
                & (Code.customer_id == Referrer.customer_id)
                & Code.active,
            )
            .where(
                Referrer.brand_id == brand.id,
                Referrer.customer_id == customer_id,
                Referrer.revoked_at.is_(None),
            )
        )
    ).first()
    if row is None:
        return None
    referrer, code = row
    if status_of(code, now=now) is not CodeStatus.active:
        return None
    programme = (await load_programme_versions(session, brand.id, [code.programme_version]))[
        code.programme_version
    ]
    return make_share(public_url, brand.name, referrer, code, programme)


def status_of(code: Code, *, now: datetime) -> CodeStatus:
    """What a code row is good for at `now`."""
    return code_status(
        disabled=code.disabled_at is not None,
        expires_at=code.expires_at,
        uses=code.uses,
        max_uses=code.max_uses,
        now=now,
    )


def make_share(
    public_url: str, brand_name: str, referrer: Referrer, code: Code, programme: Programme
) -> Share:
    """The share of one referrer's code, under the terms it was issued with."""
    url = share_url(public_url, referrer.slug)
    discount = discount_text(code.discount_kind, code.discount_value, code.currency)
    disclosure = disclosure_text(programme, code.currency)
    shown = code.display if code.live_at is not None else None
    offer = f"{discount} off at {brand_name}" + (f" with my code {shown}" if shown else "")
    text = f"{offer}: {url} {disclosure}".rstrip()
    return Share(url, text, shown, discount, reward_text(programme, code.currency), disclosure, qr_svg(url))


def share_url(public_url: str, slug: str) -> str:
    """The link a friend opens."""
    return f"{public_url}/r/{slug}"


def discount_text(kind: DiscountKind, value: Decimal, currency: str) -> str:
    """`10 %` or `10.00 EUR`."""
    return f"{value.normalize():f} %" if kind is DiscountKind.percent else amount_text(value, currency)


def reward_text(programme: Programme, currency: str) -> str | None:
    """`10.00 EUR`, or None where a referrer gets thanks alone."""
    reward = programme.reward
    return None if reward.kind is RewardKind.none or not reward.value else amount_text(reward.value, currency)


def disclosure_text(programme: Programme, currency: str) -> str:
    """What a friend has a right to know before they order; empty where the referrer gets nothing."""
    reward = reward_text(programme, currency)
    return f"(I get {reward} if you order.)" if reward else ""


@lru_cache(maxsize=4096)
def qr_svg(url: str) -> Markup:
    """The link as an inline SVG, dark on white in every colour scheme, so that cameras read it; sized by the style sheet."""
    made = segno.make(url, error="m", micro=False)
    svg = made.svg_inline(omitsize=True, svgclass="qr", lineclass=None, light="#fff", dark="#000", border=2)
    # The source is our own link, escaped by the library; the role tells screen readers that it is one picture.
    return Markup(svg.replace("<svg ", '<svg role="img" aria-label="QR code of your link" ', 1))  # noqa: S704
