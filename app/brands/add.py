"""Create brands and shops, exchange secrets, and change programmes."""

from collections.abc import Collection, Mapping
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.base.actor import Actor, cli_actor
from app.base.audit import AuditAction, differing, record_action
from app.base.errors import AppError
from app.base.ids import new_id
from app.base.text import quoted
from app.base.tokens import Tokens, new_webhook_secret
from app.brands import rules
from app.brands.amounts import check_amounts
from app.brands.entered import check_entered
from app.brands.find import ProgrammeInForce, load_programme
from app.brands.models import Brand, Shop, ShopSlug
from app.brands.patch_rules import patched
from app.brands.programme import Programme
from app.brands.programme_versions import (
    add_version,
    lock_programme,
    put_programme,
    require_version,
    state_reward,
)
from app.brands.rules import AddressForm, Platform

_AUDITED = ("slug", "name", "platform", "currency", "time_zone", "locale", "url")
"""The fields of a new shop that the audit log holds."""


async def add_brand(
    session: AsyncSession,
    slug: str,
    *,
    name: str,
    time_zone: str = "UTC",
    locale: str = "en",
    address_form: AddressForm = AddressForm.formal,
    postal_address: str = "",
) -> Brand:
    """Create a brand with the default programme as its version 1.

    Only commands do, so the audit log names the CLI. Raises `AppError` for a taken or unusable
    slug, and for texts that the API would refuse.
    """
    _check(slug, time_zone)
    check_entered(name=name, locale=locale, postal_address=postal_address)
    row = await session.execute(
        insert(Brand)
        .values(
            slug=slug,
            name=name,
            time_zone=time_zone,
            locale=locale,
            address_form=address_form,
            postal_address=postal_address,
            branding={},
            countries={},
        )
        .on_conflict_do_nothing()
        .returning(Brand)
    )
    brand = row.scalar_one_or_none()
    if brand is None:
        raise AppError(
            "slug_taken", f"There is a brand {quoted(slug)} already; choose another slug.", status=409
        )
    await add_version(session, brand.id, 1, Programme(), author="defaults")
    values = {"slug": slug, "name": name, "time_zone": time_zone, "locale": locale}
    if address_form is not AddressForm.formal:
        values["address_form"] = address_form.value
    changes = differing({}, values | ({"postal_address": postal_address} if postal_address else {}))
    await record_action(session, cli_actor(brand.id), AuditAction.brand_added, ("brand", None), changes)
    return brand


async def add_shop(  # noqa: PLR0913  # a shop has that many fields
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    slug: str,
    *,
    name: str,
    actor: Actor,
    platform: Platform = Platform.checkout,
    webhook_secret: str | None = None,
    currency: str = "EUR",
    time_zone: str | None = None,
    locale: str | None = None,
    url: str | None = None,
    platform_settings: Mapping[str, str] | None = None,
) -> tuple[Shop, str]:
    """Create a shop of the brand.

    Returns it with its webhook secret, generated where none is given. Slugs are unique in the
    installation; `platform_settings` are checked already (`app.platforms.shop_settings`). Raises
    `AppError` for a taken or unusable slug, zone, currency or text.
    """
    zone = time_zone or brand.time_zone
    _check(slug, zone, url)
    check_entered(name=name, locale=locale or brand.locale)
    await _check_currency(session, brand.id, currency)
    secret = _usable_secret(webhook_secret, platform)
    shop = Shop(
        brand_id=brand.id,
        id=await _take_slug(session, brand.id, slug),
        slug=slug,
        name=name,
        platform=platform,
        currency=currency,
        time_zone=zone,
        locale=locale or brand.locale,
        url=url,
        platform_settings=dict(platform_settings or {}),
        sealed_secrets=[tokens.seal(secret)],
    )
    await _save(session, shop, actor)
    return shop, secret


async def _take_slug(session: AsyncSession, brand_id: int, slug: str) -> UUID:
    """The id of a new shop, which has the slug from now on; raises `AppError` for a taken one."""
    shop_id = new_id()
    taken = await session.execute(
        insert(ShopSlug)
        .values(slug=slug, brand_id=brand_id, shop_id=shop_id)
        .on_conflict_do_nothing()
        .returning(ShopSlug.slug)
    )
    if taken.first() is None:
        raise AppError(
            "slug_taken", f"There is a shop {quoted(slug)} already; choose another slug.", status=409
        )
    return shop_id


async def _save(session: AsyncSession, shop: Shop, actor: Actor) -> None:
    """Store a new shop, allow its domain, and record who added it."""
    session.add(shop)
    await session.flush()
    if shop.url is not None:
        await _allow_domain(session, shop.brand_id, rules.domain_of(shop.url))
    values = {each: getattr(shop, each) for each in _AUDITED}
    if shop.platform_settings:
        values["platform_settings"] = shop.platform_settings
    changes = differing({}, values)
    await record_action(session, actor, AuditAction.shop_added, ("shp", shop.id), changes)


async def _allow_domain(session: AsyncSession, brand_id: int, domain: str) -> None:
    """Add a new shop's domain to those of its brand: whoever adds a shop vouches for it.

    An address that is only a number or one label allows nothing.
    """
    if not rules.is_domain(domain) or rules.is_number(domain):
        return
    chosen = Brand.id == brand_id
    allowed = (await session.scalars(select(Brand.domains).where(chosen).with_for_update())).one()
    if domain not in allowed:
        await session.execute(update(Brand).where(chosen).values(domains=sorted([*allowed, domain])))


async def exchange_secret(
    session: AsyncSession, tokens: Tokens, shop: Shop, *, actor: Actor, webhook_secret: str | None = None
) -> str:
    """Give a shop a new webhook secret, generated where none is given, and return it.

    The previous one stays valid beside it, so that no delivery is refused while the shop changes
    over; an older one is removed. The secret in force, given again, changes nothing.
    """
    locked = await session.get_one(
        Shop, (shop.brand_id, shop.id), with_for_update=True, populate_existing=True
    )
    secret = _usable_secret(webhook_secret, locked.platform)
    if secret not in [tokens.open(sealed) for sealed in locked.sealed_secrets[:1]]:
        locked.sealed_secrets = [tokens.seal(secret), *locked.sealed_secrets[:1]]
        await session.flush()
        await record_action(session, actor, AuditAction.secret_exchanged, ("shp", shop.id))
    return secret


async def change_programme(  # two ways to read what is left out, and a precondition
    session: AsyncSession,
    brand_id: int,
    programme: Programme,
    *,
    actor: Actor,
    keep_switches: bool = False,
    if_version: Collection[int] | None = None,
) -> ProgrammeInForce:
    """Store new terms as the next version, in force at once; unchanged terms make none.

    A kind of reward that is left out is the brand's default (`Brand.default_reward`). With
    `keep_switches` the switches and dates that `programme` leaves out stay as they are.
    Concurrent changes come one after the other. Raises `AppError` `precondition_failed` (412)
    where the version in force is none of `if_version`, `bad_amount` for an amount that a currency
    cannot hold, and `bad_time` for a date that no calendar has.
    """
    present = await lock_programme(session, brand_id, if_version)
    names_reward = "kind" in programme.reward.model_fields_set
    if keep_switches:
        programme = programme.keeping_switches(present.programme)
    default = await state_reward(session, brand_id, is_given=names_reward)
    if not names_reward:
        programme = programme.rewarding_by(default)
    return await put_programme(session, brand_id, present, programme, actor=actor)


async def patch_programme(
    session: AsyncSession,
    brand_id: int,
    patch: Mapping[str, JsonValue],
    *,
    actor: Actor,
    if_version: Collection[int] | None = None,
) -> ProgrammeInForce:
    """As `change_programme`, by a JSON merge patch of the terms in force.

    Raises pydantic's ValidationError for terms that cannot be.
    """
    present = await lock_programme(session, brand_id, None)
    # What cannot be is refused as such, whatever it was based on.
    programme = patched(present.programme, patch)
    require_version(present, if_version)
    reward = patch.get("reward", {})
    if reward is None or (isinstance(reward, dict) and "kind" in reward):
        is_given = reward is not None and reward["kind"] is not None
        default = await state_reward(session, brand_id, is_given=is_given)
        programme = programme if is_given else programme.rewarding_by(default)
    return await put_programme(session, brand_id, present, programme, actor=actor)


async def _check_currency(session: AsyncSession, brand_id: int, currency: str) -> None:
    """Raise `AppError` unless the currency exists and holds every amount of the programme."""
    try:
        money.exponent(currency)
    except money.MoneyError as error:
        raise AppError("unknown_currency", f"{error}.") from None
    check_amounts((await load_programme(session, brand_id)).programme, {currency})


def _usable_secret(given: str | None, platform: Platform) -> str:
    """The given webhook secret, or a new one; raises `AppError` for one that is easy to guess."""
    secret = given or new_webhook_secret()
    if not rules.is_webhook_secret(secret, platform):
        raise AppError(
            "bad_secret",
            "A checkout's webhook secret is whsec_ and at least 24 bytes in base64; a platform's own has at "
            "least 16 characters. Leave it out, and one is made.",
        )
    return secret


def _check(slug: str, time_zone: str, url: str | None = None) -> None:
    if not rules.is_slug(slug):
        raise AppError(
            "bad_slug",
            f"The slug {quoted(slug)} cannot stand in an address; use a-z, 0-9 and dashes, and none that is reserved.",
        )
    if not rules.is_zone(time_zone):
        raise AppError(
            "bad_time_zone", f"{quoted(time_zone)} is no time zone; use a name such as Europe/Berlin."
        )
    if url is not None and not rules.is_web_address(url):
        raise AppError("bad_url", f"{quoted(url)} is no web address; write it as https://shop.example.")
