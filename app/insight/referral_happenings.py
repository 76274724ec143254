"""The entries of a timeline about referrals: codes, visits, redemptions and rewards."""

from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select

from app.base.i18n import N_, translate
from app.base.ids import public_id
from app.base.masking import mask_code, mask_reason
from app.insight import referral_sentences as sentences
from app.insight.schemas import TimelineEntry
from app.insight.timeline_person import About, Person, Selected
from app.orders.models import Order
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.reward_models import Reward
from app.referrals.rules import REASON_WORDS, CodeKind
from app.referrals.visit_models import Visit
from app.referrals.withheld_models import WithheldOffer
from app.surveys.models import Survey

MOST_VISITS = 200
"""A link may have thousands of visits, and give as many codes; only the latest are listed."""


def _owns(table: Any) -> ColumnElement[bool]:
    """Joins a table of the referrals package to its referrers."""
    joined: ColumnElement[bool] = (Referrer.brand_id == table.brand_id) & (Referrer.id == table.referrer_id)
    return joined


def _shown_code(code: str, person: Person) -> str:
    return code if person.pii else mask_code(code) or ""


def _select_codes(about: About) -> Select[Any]:
    query: Select[Any] = select(Code).join(Referrer, _owns(Code))
    return query.where(*about.rows_of(Referrer), about.sees(Referrer.shop_id))


def _select_own_codes(about: About) -> Select[Any]:
    return _select_codes(about).where(Code.kind != CodeKind.friend)


def _select_friends_codes(about: About) -> Select[Any]:
    latest = _select_codes(about).where(Code.kind == CodeKind.friend)
    return latest.order_by(Code.id.desc()).limit(MOST_VISITS)


def _select_revoked(about: About) -> Selected:
    return select(Referrer.revoked_at).where(
        *about.rows_of(Referrer), about.sees(Referrer.shop_id), Referrer.revoked_at.is_not(None)
    )


async def codes(person: Person) -> list[TimelineEntry]:
    """Codes that the customer got, and how these ended."""
    happened = []
    for code in (*await person.each(_select_own_codes), *await person.each(_select_friends_codes)):
        shown = _shown_code(code.display, person)
        text = sentences.code(code, shown, person.language, person.zone)
        happened.append(TimelineEntry(at=code.starts_at, kind="code", text=text, code=shown))
        if code.disabled_at is not None:
            happened.append(
                TimelineEntry(
                    at=code.disabled_at,
                    kind="code_disabled",
                    text=translate(person.language, "Code %(code)s was disabled.", code=shown),
                    code=shown,
                )
            )
    ends = await person.each(_select_revoked)
    return happened + [
        TimelineEntry(
            at=at, kind="referrer_revoked", text=translate(person.language, "Their share link was revoked.")
        )
        for at in ends
        if at is not None
    ]


def _select_withheld(about: About) -> Select[Any]:
    query: Select[Any] = select(WithheldOffer).where(*about.rows_of(WithheldOffer))
    if about.shops is None:
        return query
    return query.join(
        Survey, (Survey.brand_id == WithheldOffer.brand_id) & (Survey.id == WithheldOffer.survey_id)
    ).where(about.sees(Survey.shop_id))


async def withheld_offers(person: Person) -> list[TimelineEntry]:
    """Why they were not given an offer, or not told of it."""
    found = await person.each(_select_withheld)
    return [
        TimelineEntry(
            at=it.at,
            kind="offer_withheld",
            text=sentences.withheld(it, person.language),
            channel=it.channel,
            reason=it.reason,
        )
        for it in found
    ]


def _select_visits(about: About) -> Selected:
    return (
        select(Visit.at)
        .join(Referrer, _owns(Visit))
        .where(*about.rows_of(Referrer), about.sees(Referrer.shop_id))
        .order_by(Visit.id.desc())
        .limit(MOST_VISITS)
    )


async def visits(person: Person) -> list[TimelineEntry]:
    """The latest openings of their share link, at most `MOST_VISITS`."""
    return [
        TimelineEntry(
            at=at, kind="visit", text=translate(person.language, "A friend opened their share link.")
        )
        for at in await person.each(_select_visits)
    ]


def _select_redemptions(about: About) -> Selected:
    # A column of one table each: so either is found by its index.
    own = select(Referrer.id).where(*about.rows_of(Referrer)).scalar_subquery()
    return (
        select(Redemption, Code.display, Order.number, Order.placed_at, Referrer.customer_id)
        .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .join(Referrer, _owns(Redemption))
        .where(
            Redemption.brand_id == about.brand_id,
            or_(Redemption.referrer_id == own, Redemption.friend_id == about.customer_id),
            about.sees(Order.shop_id),
        )
    )


async def redemptions(person: Person) -> list[TimelineEntry]:
    """Friends' orders with their code, and their own orders with a friend's."""
    customer_id = person.customer.id
    found = await person.rows(_select_redemptions)
    happened = []
    for it, code, number, placed_at, referrer_id in found:
        reason = it.reason if person.pii else mask_reason(it.reason, REASON_WORDS)
        about = partial(TimelineEntry, redemption=public_id("red", it.id), status=it.status, reason=reason)
        shown, mine = _shown_code(code, person), referrer_id == customer_id
        text = sentences.redemption(it, shown, reason, number, person.language, mine=mine)
        happened.append(about(at=placed_at, kind="redemption", text=text))
        ends = (
            (it.approved_at, "redemption_approved", N_("The redemption by order %(number)s was approved.")),
            (it.reversed_at, "redemption_reversed", N_("The redemption by order %(number)s was reversed.")),
        )
        happened += [
            about(
                at=datetime.fromisoformat(state["until"]),
                kind="redemption_decided",
                text=sentences.earlier_redemption(state, number, person.language),
            )
            for state in it.earlier or []
        ]
        happened += [
            about(at=at, kind=kind, text=translate(person.language, sentence, number=number))
            for at, kind, sentence in ends
            if at is not None
        ]
    return happened


def _select_rewards(about: About) -> Selected:
    return (
        select(Reward)
        .join(Referrer, _owns(Reward))
        .where(*about.rows_of(Referrer), about.sees(Referrer.shop_id))
    )


async def rewards(person: Person) -> list[TimelineEntry]:
    """Their rewards for friends' orders."""
    found = await person.each(_select_rewards)
    return [
        TimelineEntry(
            at=it.granted_at or it.created_at,
            kind=f"reward_{it.status}",
            text=sentences.reward(it, person.language),
            reward=public_id("rwd", it.id),
        )
        for it in found
    ]
