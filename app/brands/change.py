"""Change some fields of a brand or of a shop; the audit log gets what differs."""

from collections.abc import Collection, Mapping
from typing import TypedDict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, differing, record_action
from app.base.colour import parse_colour
from app.base.domain_names import encoded_domain, split_sender
from app.base.errors import AppError, NotFound
from app.base.text import quoted
from app.brands.colour_rules import ColourCheck, check_colour
from app.brands.models import Brand, Shop
from app.brands.rules import AddressForm, BrandingJson, CountryRulesJson, domain_of, is_domain, lies_in


class BrandFields(TypedDict, total=False):
    """What may be changed of a brand; a field left out stays."""

    name: str
    time_zone: str
    locale: str
    address_form: AddressForm
    postal_address: str
    email_from: str | None
    privacy_url: str | None
    terms_url: str | None
    imprint_url: str | None
    branding: BrandingJson
    countries: dict[str, CountryRulesJson]
    margin_percent: int | None
    opens_passives: bool


class ShopFields(TypedDict, total=False):
    """What may be changed of a shop; a field left out stays."""

    name: str
    time_zone: str
    locale: str
    url: str | None
    platform_settings: dict[str, str]
    """All of them, as `app.platforms.shop_settings` checked them for the shop's platform."""


async def change_brand(session: AsyncSession, brand_id: int, fields: BrandFields, *, actor: Actor) -> Brand:
    """Set these fields of a brand and return it.

    Of `branding` too only what is given changes; `countries` replaces all rules. Raises `AppError`
    `bad_colour` for an accent that is no colour, and for a sender `bad_email` and, outside of the
    brand's domains, `domain_not_allowed`.
    """
    wanted = select(Brand).where(Brand.id == brand_id).with_for_update()
    brand = (await session.scalars(wanted.execution_options(populate_existing=True))).one()
    values: dict[str, object] = {**fields}
    sender = fields.get("email_from")
    if sender is not None:
        checked_sender(sender)
    _check_domain(brand, sender)
    if "branding" in fields:
        values["branding"] = {**brand.branding, **_checked(fields["branding"])}
    changes = _assign(brand, values)
    if changes:
        await record_action(session, actor, AuditAction.brand_changed, ("brand", None), changes)
    await session.flush()
    return brand


async def change_shop(
    session: AsyncSession, brand_id: int, slug: str, fields: ShopFields, *, actor: Actor
) -> Shop:
    """Set these fields of the brand's shop with this slug and return it.

    Raises `NotFound`, and `AppError` `domain_not_allowed` for an address outside the brand's
    domains.
    """
    wanted = select(Shop).where(Shop.brand_id == brand_id, Shop.slug == slug).with_for_update()
    shop = await session.scalar(wanted.execution_options(populate_existing=True))
    if shop is None:
        raise NotFound
    if fields.get("url") is not None:
        brand = (await session.scalars(select(Brand).where(Brand.id == brand_id))).one()
        _check_domain(brand, fields["url"])
    changes = _assign(shop, {**fields})
    if changes:
        await record_action(session, actor, AuditAction.shop_changed, ("shp", shop.id), changes)
    await session.flush()
    return shop


async def change_domains(
    session: AsyncSession,
    brand_id: int,
    *,
    add: Collection[str] = (),
    remove: Collection[str] = (),
    actor: Actor,
) -> list[str]:
    """Change the domains in which a brand's sender and shops may lie, and return them.

    Raises `AppError` `bad_domain` for a text that is none.
    """
    added = {each: encoded_domain(each) or "" for each in add}
    for domain, encoded in added.items():
        if not is_domain(encoded):
            raise AppError("bad_domain", f"{quoted(domain)} is no domain; write it as shop.example.")
    wanted = select(Brand).where(Brand.id == brand_id).with_for_update()
    brand = (await session.scalars(wanted.execution_options(populate_existing=True))).one()
    removed = {encoded_domain(each) or each.lower() for each in remove}
    domains = sorted({*brand.domains, *added.values()} - removed)
    changes = _assign(brand, {"domains": domains})
    if changes:
        await record_action(session, actor, AuditAction.brand_changed, ("brand", None), changes)
    await session.flush()
    return domains


def checked_sender(address: str) -> str:
    """The address, its domain encoded. Raises `AppError` `bad_email` for what cannot send mail."""
    found = split_sender(address)
    if found is None:
        raise AppError(
            "bad_email",
            f"{quoted(address)} is no address that mail can come from; write it as hello@shop.example.",
        )
    return found[1]


def _check_domain(brand: Brand, address: str | None) -> None:
    """An address that people are sent to, or from, is the brand's own."""
    if address is not None and not lies_in(domain_of(address), brand.domains):
        raise AppError(
            "domain_not_allowed",
            f"The domain {quoted(domain_of(address))} is not among the brand's; the operator adds it with: "
            f"tenfold brand domains {brand.slug} --add DOMAIN",
        )


def _assign(row: Brand | Shop, values: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Set the values and return those that differ, before and after."""
    before = {name: getattr(row, name) for name in values}
    for name, value in values.items():
        setattr(row, name, value)
    return differing(before, values)


def _checked(branding: BrandingJson) -> BrandingJson:
    accent = branding.get("accent")
    return {**branding, "accent": f"#{checked_colour(accent).colour}"} if accent else branding


def checked_colour(accent: str) -> ColourCheck:
    """The check of a colour that somebody entered; raises `AppError` `bad_colour` for none."""
    colour = parse_colour(accent)
    if colour is None:
        raise AppError("bad_colour", "The accent is no colour; write it as #0f5fa8.")
    return check_colour(colour)
