"""The messages of this room: a referrer's offer, and the reward they earned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.money import Money
from app.base.tokens import Tokens
from app.brands.find import load_programme, load_programme_versions
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, Programme, QuietHours
from app.brands.rules import country_quiet_hours, next_daytime, zone_or
from app.customers.consent import load_contact_options
from app.customers.rules import ContactOptions
from app.messaging.queue import NewMessage, queue_messages
from app.messaging.templates import TemplateSpec
from app.referrals.models import Code, Referrer, Reward
from app.referrals.rules import amount_text
from app.referrals.share import discount_text, reward_text
from app.referrals.templates import OFFER, REWARD, OfferParams, RewardParams


@dataclass(frozen=True, slots=True)
class GrantedReward:
    """A reward, what refunds have left of it in minor units, and the shop of the friend's order."""

    reward: Reward
    net: int
    shop: Shop


async def announce_codes(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    referrers: Mapping[UUID, Referrer],
    codes: Sequence[Code],
    shops: Mapping[UUID, Shop],
    *,
    now: datetime,
) -> None:
    """Queue the offer of each code to every channel that the terms name and the referrer's consent allows, in the urgent lane.

    An e-mail goes out at any hour, at once; a text waits for the end of the quiet hours where the referrer lives.
    """
    live = [code for code in codes if code.live_at is not None]
    versions = await load_programme_versions(session, brand.id, {code.programme_version for code in live})
    reached = await load_contact_options(session, tokens, brand, {code.customer_id for code in live})
    wanted = []
    for code in live:
        referrer, programme = referrers[code.customer_id], versions[code.programme_version]
        shop, person = shops[referrer.shop_id], reached.get(code.customer_id)
        if person is not None:
            template_params = offer_params(person, referrer, code, programme, zone_of(person, shop))
            for channel in programme.offer.channels:
                if channel in person.addresses:
                    due_at = send_time(channel, person, shop, brand, programme.survey.quiet_hours, now=now)
                    wanted.append(_letter(OFFER, code.id, person, shop, channel, template_params, due_at))
    await queue_messages(session, brand.id, wanted)


async def announce_rewards(
    session: AsyncSession, tokens: Tokens, brand: Brand, granted: Sequence[GrantedReward], *, now: datetime
) -> None:
    """Tell each referrer of their reward, on the first channel of the offer's that reaches them."""
    programme = (await load_programme(session, brand.id)).programme
    reached = await load_contact_options(session, tokens, brand, {one.reward.referrer_id for one in granted})
    wanted = []
    for one in granted:
        reward, person = one.reward, reached.get(one.reward.referrer_id)
        channel = next(
            (each for each in programme.offer.channels if person and each in person.addresses), None
        )
        if person is not None and channel is not None:
            amount = str(Money(one.net, reward.currency))
            template_params = RewardParams(person.first_name, amount, reward.kind.value, reward.code)
            due_at = send_time(channel, person, one.shop, brand, programme.survey.quiet_hours, now=now)
            wanted.append(_letter(REWARD, reward.id, person, one.shop, channel, template_params, due_at))
    await queue_messages(session, brand.id, wanted)


def offer_params(
    person: ContactOptions, referrer: Referrer, code: Code, programme: Programme, zone: ZoneInfo
) -> OfferParams:
    """What the offer says; the last day is the one on which the code still works where the referrer lives."""
    minimum = None if code.minimum_subtotal is None else amount_text(code.minimum_subtotal, code.currency)
    last_moment = code.expires_at.astimezone(zone) - timedelta(microseconds=1)
    return OfferParams(
        first_name=person.first_name,
        code=code.display,
        slug=referrer.slug,
        discount=discount_text(code.discount_kind, code.discount_value, code.currency),
        reward=reward_text(programme, code.currency),
        minimum=minimum,
        expires_on=last_moment.date().isoformat(),
    )


def zone_of(person: ContactOptions, shop: Shop) -> ZoneInfo:
    """The clock on the person's wall: their own zone, else their shop's."""
    return zone_or(person.time_zone, shop.time_zone)


def send_time(
    channel: Channel,
    person: ContactOptions,
    shop: Shop,
    brand: Brand,
    quiet_hours: QuietHours | None,
    *,
    now: datetime,
) -> datetime:
    """When an offer or reward goes out: e-mail at any hour, a text outside the quiet hours, which a country may only narrow."""
    if channel is Channel.email:
        return now
    return next_daytime(
        now, zone_of(person, shop), quiet_hours, country_quiet_hours(brand.countries, person.country)
    )


def _letter(
    template: TemplateSpec,
    subject_id: UUID,
    person: ContactOptions,
    shop: Shop,
    channel: Channel,
    template_params: OfferParams | RewardParams,
    due_at: datetime,
) -> NewMessage:
    return NewMessage(
        template=template,
        subject_id=subject_id,
        customer_id=person.customer_id,
        shop_id=shop.id,
        channel=channel,
        address=person.addresses[channel],
        locale=person.locale or shop.locale,
        template_params=template_params,
        due_at=due_at,
        at_once=template is OFFER and channel is Channel.email,
    )
