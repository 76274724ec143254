"""What customers would see under some terms: a code, a share and an offer that nobody has. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.base.i18n import translate
from app.brands.amount_rules import amount_in
from app.brands.models import Brand, Shop
from app.brands.programme import CodePer, CodeStyle, Programme
from app.brands.terms import Terms, terms_of
from app.referrals.amount_rules import has_amounts
from app.referrals.friend_offer import FriendOffer
from app.referrals.offer_texts import OfferTexts, disclosure_text, offer_texts, reader_of
from app.referrals.share import Share, make_share
from app.referrals.shown import ShownCode, ShownReferrer
from app.referrals.templates import OFFER, REWARD, OfferParams, RewardParams

FIRST_NAME = "Ana"
_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
_SLUG = "27k4qx9wm"
_CODES = {CodeStyle.named: "ANA-7K4QX", CodeStyle.random: "7K4QX9WMPA"}


@dataclass(frozen=True, slots=True)
class OfferSample:
    """An offer that nobody has, under some terms, in a shop's currency."""

    brand: Brand
    shop: Shop
    terms: Terms
    code: ShownCode
    texts: OfferTexts
    """In `language`."""
    language: str

    def headline(self) -> str:
        """What a promoter reads first: `Give a friend 10% off, get €10`."""
        give, get = self.texts.discount, self.texts.reward
        if get:
            return translate(self.language, "Give a friend %(give)s off, get %(get)s", give=give, get=get)
        return translate(self.language, "Give a friend %(give)s off", give=give)

    def disclosure(self) -> str:
        """What a friend is told of the reward; empty without one."""
        reader = reader_of(self.brand, self.language)
        return disclosure_text(self.texts.reward, None, reader)

    def friend_offer(self) -> FriendOffer:
        """What a friend's page shows."""
        return FriendOffer(
            brand=self.brand,
            shop=self.shop,
            share=self.code,
            slug=_SLUG,
            first_name=FIRST_NAME,
            texts=self.texts,
            code=self.code.display if self.code.redeemable else None,
        )

    def share(self, public_url: str) -> Share:
        """What a promoter may share."""
        referrer = ShownReferrer(_ID, None, _SLUG)
        reader = reader_of(self.brand, self.language)
        return make_share(
            public_url, self.brand.name, referrer, self.code, self.terms, reader, None, live=True
        )

    def offer_params(self) -> OfferParams:
        """The values of the offer's message."""
        assert isinstance(OFFER.sample, OfferParams)  # noqa: S101  # as it is registered
        return OfferParams(
            first_name=FIRST_NAME,
            code=self.code.display if self.code.redeemable else None,
            slug=_SLUG,
            discount=self.texts.discount,
            reward=self.texts.reward,
            minimum=self.texts.minimum,
            expires_on=self.texts.last_day.isoformat(),
            referrer_id=str(_ID),
        )

    def reward_params(self, now: datetime) -> RewardParams:
        """The values of the message about a reward; the template's own sample without one."""
        sample = REWARD.sample
        assert isinstance(sample, RewardParams)  # noqa: S101  # as it is registered
        kind = self.terms.reward.kind
        if self.texts.reward is None:
            return sample
        reader = reader_of(self.brand, self.language)
        expires_at = now + timedelta(days=self.terms.reward.valid_days)
        return RewardParams(
            first_name=FIRST_NAME,
            amount=self.texts.reward,
            kind=kind.value,
            code=sample.code if kind.value == "code" else None,
            expires_on=reader.last_day(expires_at).isoformat(),
            referrer_id=str(_ID),
        )


def sample_offer(
    brand: Brand, shop: Shop, programme: Programme, locale: str | None = None, *, now: datetime
) -> OfferSample | None:
    """An offer that is made at `now` in this shop, for a reader with this locale.

    None where the terms lack an amount in the shop's currency, so that it makes no offer.
    """
    offer, terms = programme.offer, terms_of(programme)
    value = amount_in(offer.friend_discount.value, shop.currency)
    if value is None or not has_amounts(programme, shop.currency):
        return None
    code = ShownCode(
        brand_id=brand.id,
        id=_ID,
        referrer_id=_ID,
        display=_CODES[offer.code_style],
        redeemable=offer.code_per is CodePer.referrer,
        terms_id=_ID,
        discount_kind=offer.friend_discount.kind,
        discount_value=value,
        currency=shop.currency,
        minimum_subtotal=_minimum(programme, shop.currency),
        max_uses=offer.max_uses_per_code,
        uses=0,
        expires_at=now + timedelta(days=offer.valid_days),
        disabled_at=None,
    )
    reader = reader_of(brand, locale)
    return OfferSample(brand, shop, terms, code, offer_texts(code, terms, reader), reader.language)


def _minimum(programme: Programme, currency: str) -> Decimal | None:
    minimum = programme.offer.minimum_subtotal
    return None if minimum is None else amount_in(minimum, currency)
