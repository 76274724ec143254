"""What a referrer shares: the link, a text with the disclosure, and a QR code."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from markupsafe import Markup, escape
from sqlalchemy import bindparam, select

from app.base.i18n import N_, SOURCE, translate
from app.base.prepared import Prepared, Session
from app.brands.models import Brand
from app.brands.terms import Terms, load_terms
from app.customers.models import Customer
from app.referrals.code_state import has_present_code, in_home_shop, is_live, status_of
from app.referrals.models import Code, Referrer
from app.referrals.offer_texts import OfferTexts, Reader, disclosure_text, offer_texts, reader_of
from app.referrals.publishing.models import CodePublication
from app.referrals.qr import link_path
from app.referrals.rules import CodeStatus, PublicationState
from app.referrals.shown import AnyCode, AnyReferrer, ShownCode, ShownReferrer, columns_of


@dataclass(frozen=True, slots=True)
class Share:
    """The values of `templates/web/_share.html`.

    `share_text` begins with the disclosure, which is shown under the buttons too, and has the link.
    """

    referrer_id: UUID
    share_url: str
    share_text: str
    code: str | None
    """None while the shop does not know it, and where each friend gets one by the link."""
    is_pending: bool
    """Whether the code is shown once the shop knows it."""
    offer: OfferTexts
    disclosure: str
    qr: Markup

    def values(self) -> dict[str, object]:
        """The fields by name, for a template."""
        return {
            "share_url": self.share_url,
            "share_text": self.share_text,
            "code": self.code,
            "is_pending": self.is_pending,
            "discount": self.offer.discount,
            "reward": self.offer.reward,
            "reward_rule": self.offer.reward_rule,
            "disclosure": self.disclosure,
            "qr": self.qr,
            **self.offer.terms(),
        }


async def find_share(
    session: Session,
    public_url: str,
    brand: Brand,
    customer_id: UUID,
    *,
    now: datetime,
) -> Share | None:
    """What this customer may share at `now`.

    None for a customer who is no referrer or has no usable code.
    """
    row = await _SHARE.first(session, of_brand=brand.id, customer_id=customer_id)
    if row is None or status_of(row.code, now=now) is not CodeStatus.active:
        return None
    code = row.code
    terms = (await load_terms(session, brand.id, [code.terms_id]))[code.terms_id]
    live = is_live(code, row.state)
    reader = reader_of(brand, row.locale)
    return make_share(public_url, brand.name, row.referrer, code, terms, reader, row.country, live=live)


class _ShareRow(NamedTuple):
    country: str | None
    locale: str | None
    state: PublicationState | None
    referrer: ShownReferrer
    code: ShownCode


def _share_row(
    country: str | None, locale: str | None, state: PublicationState | None, *shown: Any
) -> _ShareRow:
    referrer = ShownReferrer(*shown[:_CODE_AT])
    return _ShareRow(country, locale, state, referrer, ShownCode(*shown[_CODE_AT:]))


_CODE_AT = len(ShownReferrer._fields)
_SHARE = Prepared(
    select(
        Customer.country,
        Customer.locale,
        CodePublication.state,
        *columns_of(Referrer, ShownReferrer),
        *columns_of(Code, ShownCode),
    )
    .select_from(Referrer)
    .join(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
    .join(Code, has_present_code())
    .join(CodePublication, in_home_shop(), isouter=True)
    .where(
        Referrer.brand_id == bindparam("of_brand"),
        Referrer.customer_id == bindparam("customer_id"),
        Referrer.revoked_at.is_(None),
    ),
    _share_row,
)


def make_share(
    public_url: str,
    brand_name: str,
    referrer: AnyReferrer,
    code: AnyCode,
    terms: Terms,
    reader: Reader,
    country: str | None,
    *,
    live: bool,
) -> Share:
    """The share of one referrer's code under its terms, for its reader, who lives in `country`.

    The code itself is left out unless it is live and can be entered.
    """
    url = share_url(public_url, referrer.slug)
    offer = offer_texts(code, terms, reader)
    disclosure = disclosure_text(offer.reward, country, reader)
    shown = code.display if live and code.redeemable else None
    if shown:
        text = N_("%(disclosure)s %(discount)s off at %(brand)s with my code %(code)s: %(url)s")
    else:
        text = N_("%(disclosure)s %(discount)s off at %(brand)s: %(url)s")
    values = {
        "discount": offer.discount.replace("\u00a0", " "),
        "brand": brand_name,
        "code": shown,
        "url": url,
        "disclosure": disclosure.replace("\u00a0", " "),
    }
    return Share(
        referrer_id=referrer.id,
        share_url=url,
        share_text=translate(reader.language, text, **values).lstrip(),
        code=shown,
        is_pending=not live,
        offer=offer,
        disclosure=disclosure,
        qr=qr_svg(url, reader.language),
    )


def share_url(public_url: str, slug: str) -> str:
    """The link a friend opens."""
    return f"{public_url}/r/{slug}"


@lru_cache(maxsize=4096)
def qr_svg(url: str, language: str = SOURCE) -> Markup:
    """The link as an inline SVG, dark on white in every colour scheme, so that cameras read it.

    Screen readers, to which it is one image, get its name in `language`.
    """
    prefix, slash, slug = url.rpartition("/")
    width, path = link_path(prefix + slash, slug)
    label = escape(translate(language, "QR code of your link"))
    return Markup(  # noqa: S704  # the path is numbers, the label is escaped
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {width} {width}" class="qr">'
        f'<path fill="#fff" d="M0 0h{width}v{width}h-{width}z"/><path stroke="#000" d="{path}"/></svg>'
    )
