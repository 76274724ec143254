"""Customers' pages and mails as they would be: with a look or terms that nobody has saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.template_samples import preview_template
from app.base.context import AppContext
from app.base.i18n import day_in_text
from app.brands.appearance import card_of, page_values
from app.brands.models import Brand, Shop
from app.brands.programme import Programme
from app.referrals.samples import FIRST_NAME, OfferSample, sample_offer
from app.referrals.share import share_url
from app.referrals.templates import OFFER
from app.surveys.form import MAX_COMMENT
from app.surveys.rules import Band

_SCORE = 10


class SamplePage(StrEnum):
    """What can be shown."""

    survey = "survey"
    thanks = "thanks"
    friend = "friend"
    mail = "mail"


@dataclass(frozen=True, slots=True)
class Sample:
    """Of what a page is made."""

    brand: Brand
    shop: Shop
    programme: Programme
    locale: str
    public_url: str
    now: datetime

    @property
    def language(self) -> str:
        """The page's, in the brand's form of address."""
        return self.brand.language_for(self.locale)

    def offer(self) -> OfferSample | None:
        """What is offered; None where the shop would make no offer."""
        return sample_offer(self.brand, self.shop, self.programme, self.locale, now=self.now)

    def frame(self) -> dict[str, object]:
        """The values that every page has."""
        return page_values(self.brand, self.language) | {"first_name": FIRST_NAME, "unsubscribe_url": None}


def page_of(kind: SamplePage, sample: Sample) -> tuple[str, Mapping[str, object]]:
    """The template of `templates/web` and its values; a mail is no page: `mail_of`."""
    match kind:
        case SamplePage.survey:
            return "survey.html", _survey(sample)
        case SamplePage.thanks:
            return "thanks.html", _thanks(sample)
        case SamplePage.friend if (offer := sample.offer()) is not None:
            return "friend.html", _friend(sample, offer)
        case _:
            return "not_found.html", {}


def _survey(sample: Sample) -> dict[str, object]:
    day = (sample.now - timedelta(days=6)).date()
    return sample.frame() | {
        "token": "",
        "opened": "",
        "score": None,
        "comment": "",
        "testimonial_consent": False,
        "max_comment": MAX_COMMENT,
        "is_missing_score": False,
        "answered": None,
        "minutes_left": None,
        "item_title": None,
        "order_number": "1001",
        "ordered_on": day_in_text(day, sample.language, sample.locale, sample.brand.locale),
    }


def _thanks(sample: Sample) -> dict[str, object]:
    offer = sample.offer()
    share = None if offer is None else offer.share(sample.public_url)
    values = {
        "token": "",
        "band": Band.promoter,
        "score": _SCORE,
        "minutes_left": None,
        "share": share,
        "referrer_url": "",
    }
    return sample.frame() | values | (share.values() if share else {})


def _friend(sample: Sample, offer: OfferSample) -> dict[str, object]:
    shown = offer.friend_offer()
    return page_values(sample.brand, sample.language) | {
        "offer": shown,
        "is_pending": False,
        "is_limited": False,
        **shown.texts.terms(),
        "card": card_of(sample.brand),
        "public_url": sample.public_url,
        "page_url": share_url(sample.public_url, shown.slug),
    }


async def mail_of(session: AsyncSession, context: AppContext, sample: Sample) -> str:
    """The offer's mail as HTML."""
    shown = await preview_template(
        session,
        context,
        sample.brand,
        OFFER,
        sample.locale,
        None,
        programme=sample.programme,
        now=sample.now,
    )
    return shown.html or ""


def with_look(brand: Brand, changes: Mapping[str, object]) -> Brand:
    """The brand with other values, as an object that belongs to no session."""
    values = {column.key: getattr(brand, column.key) for column in Brand.__table__.columns}
    return Brand(**(values | dict(changes)))
