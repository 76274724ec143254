"""The brand and its shops."""

from collections.abc import Mapping
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Query, Request
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer, check_scope
from app.admin.fields import Address, BrandText, Country, Line, Lines, Locale, Plain, Url, Zone
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.rules import Scope
from app.base.i18n import known_language, languages
from app.base.schemas import Page
from app.base.web.context import SessionDep
from app.base.web.openapi import problems
from app.brands import change as change_fields
from app.brands.change import BrandFields, ShopFields, checked_colour
from app.brands.find import load_brand, load_shops
from app.brands.programme import QuietHours
from app.brands.rules import AddressForm
from app.brands.schemas import BrandShape, ColourShape, ShopShape
from app.platforms.shop_settings import merge_settings
from app.referrals.figures import note_brand_change

router = APIRouter(tags=["brand"], route_class=ApiRoute)


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _refuse_null(self) -> "_Change":
        for name in self.model_fields_set:
            if getattr(self, name) is None and name not in {
                "email_from",
                "privacy_url",
                "terms_url",
                "imprint_url",
                "url",
                "quiet_hours",
                *BrandingChange.model_fields,
                "margin_percent",
            }:
                raise ValueError(f"{name} cannot be null; leave it out to keep it")
        return self


def _known(locale: str) -> str:
    if known_language(locale) is None:
        raise ValueError(f"is no language we have texts in; use one of {', '.join(languages())}")
    return locale


OwnText = Annotated[
    Annotated[BrandText, Tag("text")]
    | Annotated[
        dict[Annotated[Locale, AfterValidator(_known)], BrandText],
        Field(min_length=1, max_length=20),
        Tag("by_language"),
    ],
    Discriminator(lambda value: "by_language" if isinstance(value, Mapping) else "text"),
]


class BrandingChange(_Change):
    """How pages and messages look and speak; null returns to the neutral default.

    `accent` is #rrggbb, any colour: what is read on it or in it is derived. A text is in the
    brand's language, or a map by language.
    """

    accent: str | None = None
    heading: Literal["sans", "serif"] | None = None
    greeting: OwnText | None = None
    sign_off: OwnText | None = None
    thanks: OwnText | None = None
    pitch: OwnText | None = None
    noun: OwnText | None = None


class CountryRules(_Change):
    """The rules of one country: the basis of survey mails, and quiet hours.

    Quiet hours may only narrow the programme's.
    """

    email_basis: Literal["existing_customer", "consent"] | None = None
    quiet_hours: QuietHours | None = None


class BrandChange(_Change):
    """What may be changed of a brand; a field left out stays. `countries` replaces all rules."""

    name: Line | None = None
    time_zone: Zone | None = None
    locale: Locale | None = None
    address_form: AddressForm | None = None
    postal_address: Lines | None = None
    email_from: Address | None = None
    privacy_url: Url | None = None
    terms_url: Url | None = None
    imprint_url: Url | None = None
    branding: BrandingChange | None = None
    countries: dict[Country, CountryRules] | None = None
    margin_percent: Annotated[int, Field(ge=1, le=100)] | None = None
    opens_passives: bool | None = None


class ShopChange(_Change):
    """What may be changed of a shop; a field left out stays.

    Of `platform_settings` only what is given changes, and null removes a setting.
    """

    name: Line | None = None
    time_zone: Zone | None = None
    locale: Locale | None = None
    url: Url | None = None
    platform_settings: dict[Plain, Plain | None] | None = None


@router.get("/brand", response_model_exclude_unset=True)
async def show_brand(caller: Reader, session: SessionDep) -> BrandShape:
    """The key's brand: branding, sender, postal address, rules by country."""
    return BrandShape.of(await load_brand(session, caller.brand_id))


@router.patch("/brand", response_model=BrandShape, responses=problems(413))
async def change_brand(
    request: Request, change: BrandChange, caller: Writer, write: IdempotentWriteDep
) -> JSONResponse:
    """Change some fields; `email_from` needs the scope `admin` and one of the brand's domains.

    Of `branding` too a field left out stays.
    """
    if "email_from" in change.model_fields_set:
        check_scope(request, Scope.admin)

    async def act() -> WriteResult:
        fields = cast("BrandFields", change.model_dump(mode="json", by_alias=True, exclude_unset=True))
        brand = await change_fields.change_brand(write.session, caller.brand_id, fields, actor=caller)
        if {"time_zone", "margin_percent"} & fields.keys():
            await note_brand_change(write.session, caller.brand_id)
        return WriteResult(BrandShape.of(brand), only_set=True)

    return await write.run(caller, act)


@router.get("/brand/colour")
async def check_accent(
    _caller: Reader,
    accent: Annotated[str, Query(max_length=7, description="`#rrggbb`; the `#` may be left out.")],
) -> ColourShape:
    """What would be made of a colour: how well it can be read, and the nearest one that can."""
    return ColourShape.of(checked_colour(accent))


@router.get("/shops")
async def list_shops(caller: Reader, session: SessionDep) -> Page[ShopShape]:
    """All shops of the brand."""
    shops = await load_shops(session, caller.brand_id)
    return Page(data=[ShopShape.of(shop) for shop in shops.values()], next_cursor=None)


@router.patch("/shops/{shop}", response_model=ShopShape, responses=problems(404, 413))
async def change_shop(
    request: Request, shop: Plain, change: ShopChange, caller: Writer, write: IdempotentWriteDep
) -> JSONResponse:
    """Change some fields of the shop with this slug.

    `platform_settings` are those of its platform; another name is refused. `url` needs the scope
    `admin` and one of the brand's domains.
    """
    if "url" in change.model_fields_set:
        check_scope(request, Scope.admin)

    async def act() -> WriteResult:
        fields = cast("ShopFields", change.model_dump(mode="json", exclude_unset=True))
        if change.platform_settings is not None:
            fields["platform_settings"] = await merge_settings(
                write.session, caller.brand_id, shop, change.platform_settings
            )
        changed = await change_fields.change_shop(write.session, caller.brand_id, shop, fields, actor=caller)
        return WriteResult(ShopShape.of(changed))

    return await write.run(caller, act)
