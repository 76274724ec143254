"""Messages that no customer gets: previews with the brand's own terms, and samples to the team."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import Staff
from app.admin.staff import checked_address
from app.base.actor import Actor
from app.base.context import AppContext
from app.base.errors import AppError
from app.brands.find import load_brand, load_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Programme
from app.brands.setup import load_setup
from app.messaging.lint_rules import Rendered, find_findings
from app.messaging.own_texts import Blocks, check_language, check_texts, load_own_texts
from app.messaging.preview import Previewer
from app.messaging.send_sample import send_sample
from app.messaging.templates import TemplateSpec
from app.messaging.text_schemas import PreviewShape, default_texts
from app.referrals.samples import sample_offer
from app.referrals.templates import OFFER, REWARD

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def sample_values(
    spec: TemplateSpec, brand: Brand, shop: Shop, programme: Programme, locale: str, *, now: datetime
) -> "DataclassInstance":
    """What the template says under these terms; its own sample where they say nothing of it."""
    sample = sample_offer(brand, shop, programme, locale, now=now)
    if sample is not None and spec is OFFER:
        return sample.offer_params()
    if sample is not None and spec is REWARD:
        return sample.reward_params(now)
    return spec.sample


async def preview_template(  # noqa: PLR0913  # what a message is made of
    session: AsyncSession,
    context: AppContext,
    brand: Brand,
    spec: TemplateSpec,
    locale: str,
    blocks: Blocks | None,
    *,
    complete: bool = True,
    programme: Programme | None = None,
    now: datetime,
) -> PreviewShape:
    """A template as its reader would get it, in the look of the brand's first shop.

    `blocks` and `programme` are those in force where they are None. Raises `AppError`
    `unknown_language` and `bad_text`.
    """
    check_language(locale)
    if blocks is None:
        own = (await load_own_texts(session, brand)).by_locale
        known = {block.name for block in spec.blocks}
        blocks = {name: text for name, text in own.get((spec.name, locale), {}).items() if name in known}
    check_texts(brand, spec, blocks)
    shop = await first_shop(session, brand)
    terms = programme or (await load_programme(session, brand.id)).programme
    values = sample_values(spec, brand, shop, terms, locale, now=now)
    previewer = Previewer(context, brand, shop)
    made = previewer.template(spec, locale, blocks, complete=complete, values=values)
    mail = made.email
    rendered = Rendered(
        mail.subject if mail else "", mail.html if mail else "", made.sms or "", made.segments
    )
    findings = find_findings(
        rendered,
        {block.name: block for block in spec.blocks},
        blocks,
        default_texts(brand, spec, locale),
        postal_address=brand.postal_address,
        privacy_url=brand.privacy_url,
    )
    return PreviewShape.of(made, findings)


async def first_shop(session: AsyncSession, brand: Brand) -> Shop:
    """The brand's first shop, in whose look samples are; one of no row where it has none."""
    shops = (await load_setup(session, brand.id)).shops
    return next(iter(shops.values()), None) or Shop(brand_id=brand.id, name=brand.name, currency="EUR")


async def send_sample_to(
    session: AsyncSession,
    brand_id: int,
    spec: TemplateSpec,
    locale: str,
    *,
    address: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Mail the template's sample with the texts in force to a member of the team.

    Raises `AppError` `bad_email` for an address of nobody in it, and what `send_sample` raises.
    """
    wanted = select(Staff.email).where(Staff.brand_id == brand_id, Staff.email == checked_address(address))
    email = await session.scalar(wanted)
    if email is None:
        raise AppError("bad_email", "A sample goes to a member of the team; write their address.")
    check_language(locale)
    brand = await load_brand(session, brand_id)
    programme = (await load_programme(session, brand_id)).programme
    shop = await first_shop(session, brand)
    values = sample_values(spec, brand, shop, programme, locale, now=now)
    await send_sample(session, brand_id, spec, locale, address=email, values=values, actor=actor, now=now)
