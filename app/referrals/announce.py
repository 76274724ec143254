"""The messages of this package: a referrer's offer, and the reward they were granted."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.tokens import Tokens
from app.brands.find import ProgrammeInForce, load_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, QuietHours
from app.brands.rules import country_quiet_hours, next_daytime, zone_or
from app.brands.terms import Terms, load_terms, terms_of
from app.customers.consent import load_contact_options
from app.customers.rules import ContactOptions
from app.messaging.queue import NewMessage, queue_messages
from app.messaging.templates import TemplateSpec
from app.referrals.models import Code, Referrer
from app.referrals.offer_texts import Reader, offer_texts, reader_of
from app.referrals.reward_models import Reward
from app.referrals.rules import WithheldReason
from app.referrals.templates import OFFER, REWARD, OfferParams, RewardParams
from app.referrals.withheld import Withheld


@dataclass(frozen=True, slots=True)
class GrantedReward:
    """A reward, its code where it is paid with one, and the shop of the friend's order."""

    reward: Reward
    code: Code | None
    shop: Shop
    coupon: str | None = None
    """The code of a coupon that holds the owner's credit."""
    in_account: bool = False
    """Whether the shop has the credit in the owner's account."""


@dataclass(frozen=True, slots=True)
class OfferRecipients:
    """The referrers whose codes are announced, and all that is known of them."""

    referrers: Mapping[UUID, Referrer]
    """By id."""
    people: Mapping[UUID, ContactOptions]
    """How they may be contacted, by customer; who is left out gets nothing."""
    shops: Mapping[UUID, Shop]
    """Their shops, by id."""
    surveys: Mapping[UUID, UUID | None]
    """The survey that made each customer a referrer."""
    trials: Collection[UUID] = ()
    """The customers whose offer is a trial's: it is marked and due at once."""


@dataclass(frozen=True, slots=True)
class _Announcement:
    """What every message to one person about one code or reward has in common."""

    template: TemplateSpec
    subject_id: UUID
    person: ContactOptions
    shop: Shop
    template_params: OfferParams | RewardParams
    trial: bool = False

    def message(
        self, channel: Channel, brand: Brand, quiet_hours: QuietHours | None, *, now: datetime
    ) -> NewMessage:
        wait_until = send_time(channel, self.person, self.shop, brand, quiet_hours, now=now)
        return NewMessage(
            template=self.template,
            subject_id=self.subject_id,
            customer_id=self.person.customer_id,
            shop_id=self.shop.id,
            channel=channel,
            address=self.person.addresses[channel],
            locale=self.person.locale or self.shop.locale,
            template_params=self.template_params,
            due_at=now if self.trial else wait_until,
            at_once=self.template is OFFER and channel is Channel.email,
            trial=self.trial,
        )


async def announce_codes(
    session: AsyncSession,
    brand: Brand,
    codes: Sequence[Code],
    recipients: OfferRecipients,
    in_force: ProgrammeInForce,
    *,
    now: datetime,
) -> list[Withheld]:
    """Queue the offer of each live code on every channel of its terms that consent allows.

    An e-mail is due at once, at any hour; a text message after the quiet hours where the referrer
    lives. Returns who is reached on no channel, and why not on each.
    """
    terms = {in_force.terms_id: terms_of(in_force.programme)}
    terms |= await load_terms(session, brand.id, {code.terms_id for code in codes} - terms.keys())
    messages: list[NewMessage] = []
    unreached: list[Withheld] = []
    for code in codes:
        referrer, under = recipients.referrers[code.referrer_id], terms[code.terms_id]
        shop, channels = recipients.shops[referrer.shop_id], under.offer.channels
        person = None if referrer.customer_id is None else recipients.people.get(referrer.customer_id)
        if person is None:
            continue
        reached = [each for each in channels if each in person.addresses]
        if not reached:
            unreached += [
                Withheld(
                    person.customer_id,
                    recipients.surveys[person.customer_id],
                    WithheldReason(person.refusals[each]),
                    each,
                )
                for each in channels
            ]
            continue
        params = offer_params(person, referrer, code, under, reader_of(brand, person.locale or shop.locale))
        offer = _Announcement(OFFER, code.id, person, shop, params, person.customer_id in recipients.trials)
        quiet_hours = in_force.programme.survey.quiet_hours
        messages += [offer.message(each, brand, quiet_hours, now=now) for each in reached]
    await queue_messages(session, brand.id, messages)
    return unreached


async def announce_rewards(
    session: AsyncSession, tokens: Tokens, brand: Brand, granted: Sequence[GrantedReward], *, now: datetime
) -> None:
    """Queue the message about each reward, on the first channel that reaches the referrer.

    None about goodwill: the message says that a friend ordered.
    """
    granted = [each for each in granted if each.reward.redemption_id is not None]
    if not granted:
        return
    programme = (await load_programme(session, brand.id)).programme
    customers = await _customers(session, brand.id, {each.reward.referrer_id for each in granted})
    people = await load_contact_options(session, tokens, brand, _known(customers.values()))
    messages = []
    for each in granted:
        reward, customer_id = each.reward, customers[each.reward.referrer_id]
        person = None if customer_id is None else people.get(customer_id)
        if customer_id is None or person is None:
            continue
        channel = next((one for one in programme.offer.channels if one in person.addresses), None)
        if channel is not None:
            reader = reader_of(brand, person.locale or each.shop.locale)
            params = _reward_params(person, each, reader)
            announcement = _Announcement(REWARD, reward.id, person, each.shop, params)
            messages.append(announcement.message(channel, brand, programme.survey.quiet_hours, now=now))
    await queue_messages(session, brand.id, messages)


def _reward_params(person: ContactOptions, granted: GrantedReward, reader: Reader) -> RewardParams:
    reward, code = granted.reward, granted.code
    last_day = None if reward.expires_at is None else reader.last_day(reward.expires_at)
    return RewardParams(
        first_name=person.first_name,
        amount=reader.amount(reward.net_amount, reward.currency),
        kind=reward.kind.value,
        code=granted.coupon if code is None else code.display,
        expires_on=None if last_day is None else last_day.isoformat(),
        referrer_id=str(reward.referrer_id),
        spent_in="account" if granted.in_account else None,
    )


async def _customers(
    session: AsyncSession, brand_id: int, referrer_ids: Collection[UUID]
) -> dict[UUID, UUID | None]:
    rows = await session.execute(
        select(Referrer.id, Referrer.customer_id).where(
            Referrer.brand_id == brand_id, in_ids(Referrer.id, list(referrer_ids))
        )
    )
    return {row.id: row.customer_id for row in rows}


def _known(customer_ids: Iterable[UUID | None]) -> set[UUID]:
    return {customer_id for customer_id in customer_ids if customer_id is not None}


def offer_params(
    person: ContactOptions, referrer: Referrer, code: Code, terms: Terms, reader: Reader
) -> OfferParams:
    """The values of an offer."""
    offer = offer_texts(code, terms, reader)
    return OfferParams(
        first_name=person.first_name,
        code=code.display if code.redeemable else None,
        slug=referrer.slug,
        discount=offer.discount,
        reward=offer.reward,
        minimum=offer.minimum,
        expires_on=offer.last_day.isoformat(),
        referrer_id=str(referrer.id),
    )


def zone_of(person: ContactOptions, shop: Shop) -> ZoneInfo:
    """The person's own time zone, else their shop's."""
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
    """When an offer or reward is due: e-mail at `now`, a text message outside the quiet hours.

    The rules of the person's country may shorten the daytime, never extend it.
    """
    if channel is Channel.email:
        return now
    return next_daytime(
        now, zone_of(person, shop), quiet_hours, country_quiet_hours(brand.countries, person.country)
    )
