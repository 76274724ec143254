"""What a referrer shares: the link, a text with the disclosure, and a QR code."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

import segno
from markupsafe import Markup, escape
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.i18n import N_, SOURCE, translate
from app.base.money import Money
from app.brands.models import Brand
from app.brands.programme import DiscountKind
from app.brands.terms import Terms, load_terms
from app.referrals.amount_rules import amount_text, reward_value
from app.referrals.models import Code, CodePublication, Referrer
from app.referrals.rules import CodeKind, CodeStatus, PublicationState, code_status


@dataclass(frozen=True, slots=True)
class Share:
    """The values of `templates/web/_share.html`.

    `share_text` has the link and ends with the disclosure, which is shown under the buttons too.
    """

    referrer_id: UUID
    share_url: str
    share_text: str
    code: str | None
    """None while the shop does not know it."""
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
    session: AsyncSession,
    public_url: str,
    brand: Brand,
    customer_id: UUID,
    *,
    now: datetime,
    language: str = SOURCE,
) -> Share | None:
    """What this customer may share at `now`.

    None for a customer who is no referrer or has no usable code.
    """
    row = (
        await session.execute(
            select(Referrer, Code, CodePublication.state)
            .join(Code, has_present_code())
            .join(CodePublication, in_home_shop(), isouter=True)
            .where(
                Referrer.brand_id == brand.id,
                Referrer.customer_id == customer_id,
                Referrer.revoked_at.is_(None),
            )
        )
    ).first()
    if row is None or status_of(row.Code, now=now) is not CodeStatus.active:
        return None
    code = row.Code
    terms = (await load_terms(session, brand.id, [code.terms_id]))[code.terms_id]
    live = row.state is PublicationState.live
    return make_share(public_url, brand.name, row.Referrer, code, terms, live=live, language=language)


def has_present_code() -> ColumnElement[bool]:
    """Joins `Referrer` to the active share code, of which there is one at most."""
    return and_(
        Code.brand_id == Referrer.brand_id,
        Code.referrer_id == Referrer.id,
        Code.active,
        Code.kind == CodeKind.share,
    )


def in_home_shop() -> ColumnElement[bool]:
    """Joins `Code` and `Referrer` to the code's publication in the referrer's shop."""
    return and_(
        CodePublication.brand_id == Code.brand_id,
        CodePublication.code_id == Code.id,
        CodePublication.shop_id == Referrer.shop_id,
    )


def status_of(code: Code, *, now: datetime) -> CodeStatus:
    """Whether a code can be used at `now`."""
    return code_status(
        disabled=code.disabled_at is not None,
        expires_at=code.expires_at,
        uses=code.uses,
        max_uses=code.max_uses,
        now=now,
    )


def make_share(
    public_url: str,
    brand_name: str,
    referrer: Referrer,
    code: Code,
    terms: Terms,
    *,
    live: bool,
    language: str = SOURCE,
) -> Share:
    """The share of one referrer's code under its terms, in `language`.

    The code itself is left out unless it is live.
    """
    url = share_url(public_url, referrer.slug)
    discount = discount_text(code.discount_kind, code.discount_value, code.currency)
    disclosure = disclosure_text(terms, code.currency, language)
    shown = code.display if live else None
    if shown:
        text = N_("%(discount)s off at %(brand)s with my code %(code)s: %(url)s %(disclosure)s")
    else:
        text = N_("%(discount)s off at %(brand)s: %(url)s %(disclosure)s")
    values = {"discount": discount, "brand": brand_name, "code": shown, "url": url, "disclosure": disclosure}
    return Share(
        referrer_id=referrer.id,
        share_url=url,
        share_text=translate(language, text, **values).rstrip(),
        code=shown,
        discount=discount,
        reward=reward_text(terms, code.currency),
        disclosure=disclosure,
        qr=qr_svg(url, language),
    )


def share_url(public_url: str, slug: str) -> str:
    """The link a friend opens."""
    return f"{public_url}/r/{slug}"


def discount_text(kind: DiscountKind, value: Decimal, currency: str) -> str:
    """`10 %` or `10.00 EUR`."""
    return f"{value.normalize():f} %" if kind is DiscountKind.percent else amount_text(value, currency)


def reward_text(terms: Terms, currency: str) -> str | None:
    """`10.00 EUR`, or None where a referrer gets thanks alone."""
    value = reward_value(terms.reward, currency)
    return str(Money(value, currency)) if value else None


def disclosure_text(terms: Terms, currency: str, language: str = SOURCE) -> str:
    """The sentence that informs a friend that the referrer gets a reward; empty without one."""
    reward = reward_text(terms, currency)
    return translate(language, "(I get %(reward)s if you order.)", reward=reward) if reward else ""


@lru_cache(maxsize=4096)
def qr_svg(url: str, language: str = SOURCE) -> Markup:
    """The link as an inline SVG, dark on white in every colour scheme, so that cameras read it.

    Screen readers get its name in `language`.
    """
    made = segno.make(url, error="m", micro=False)
    svg = made.svg_inline(omitsize=True, svgclass="qr", lineclass=None, light="#fff", dark="#000", border=2)
    # The source is our own link, escaped by the library; screen readers see one image.
    label = escape(translate(language, "QR code of your link"))
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))  # noqa: S704
