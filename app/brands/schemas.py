"""What the API shows of brands and shops; the programme's own model is its schema."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from app.base.ids import public_id
from app.base.schemas import ApiModel
from app.brands.appearance import image_of
from app.brands.colour_rules import ColourCheck
from app.brands.models import Brand, ProgrammeVersion, Shop
from app.brands.programme import Programme, QuietHours
from app.brands.rules import AddressForm, ImageKind, Platform


class ImageShape(ApiModel):
    """An image of the brand."""

    path: str = Field(description="Below the installation's public address.")
    width: int
    height: int


OwnText = str | dict[str, str] | None


class BrandingShape(ApiModel):
    """The appearance of pages and messages; texts are in the brand's language or by language."""

    accent: str | None = None
    heading: Literal["sans", "serif"] | None = None
    greeting: OwnText = None
    sign_off: OwnText = None
    thanks: OwnText = None
    pitch: OwnText = None
    noun: OwnText = None
    logo: ImageShape | None = None
    logo_dark: ImageShape | None = None
    picture: ImageShape | None = None

    @classmethod
    def of(cls, brand: Brand) -> Self:
        """The schema of a brand's appearance; what was never set is left out."""
        shown: dict[str, object] = {name: brand.branding.get(name) for name in brand.branding}
        shown.pop(ImageKind.card, None)
        for kind in (ImageKind.logo, ImageKind.logo_dark, ImageKind.picture):
            image = image_of(brand, kind)
            if image is not None:
                shown[kind] = ImageShape(path=image.path, width=image.width, height=image.height)
        return cls.model_validate(shown)


class ColourShape(ApiModel):
    """What is made of a brand's colour; every colour is `#rrggbb`."""

    accent: str
    text_contrast: float = Field(description="Of words in the colour on a white page; 4.5 can be read.")
    passes: bool
    nearest: str = Field(description="The nearest colour in which words can be read.")
    ink: str = Field(description="Of words on the colour.")
    ink_contrast: float
    dark: str = Field(description="What takes its place in the dark.")

    @classmethod
    def of(cls, check: ColourCheck) -> Self:
        """The schema of a check."""
        return cls(
            accent=f"#{check.colour}",
            text_contrast=check.text_contrast,
            passes=check.passes,
            nearest=f"#{check.nearest}",
            ink=f"#{check.ink}",
            ink_contrast=check.ink_contrast,
            dark=f"#{check.dark}",
        )


class CountryShape(ApiModel):
    """What holds in one country: the basis of survey mail, and narrower quiet hours."""

    email_basis: Literal["existing_customer", "consent"] | None = None
    quiet_hours: QuietHours | None = None


class BrandShape(ApiModel):
    """The key's brand; `countries` holds rules by ISO 3166 code."""

    slug: str
    name: str
    time_zone: str
    locale: str
    address_form: AddressForm
    postal_address: str
    email_from: str | None
    domains: list[str] = Field(
        description="Where `email_from` and the shops' addresses may lie; set by the operator."
    )
    privacy_url: str | None
    terms_url: str | None
    imprint_url: str | None
    branding: BrandingShape
    countries: dict[str, CountryShape]
    margin_percent: int | None
    opens_passives: bool = Field(
        description="Whether passives' answers with a comment wait for the team too."
    )
    created_at: datetime

    @classmethod
    def of(cls, brand: Brand) -> Self:
        """The schema of a brand."""
        return cls(
            slug=brand.slug,
            name=brand.name,
            time_zone=brand.time_zone,
            locale=brand.locale,
            address_form=brand.address_form,
            postal_address=brand.postal_address,
            email_from=brand.email_from,
            domains=brand.domains,
            **brand.legal_urls,
            branding=BrandingShape.of(brand),
            countries={code: CountryShape.model_validate(rules) for code, rules in brand.countries.items()},
            margin_percent=brand.margin_percent,
            opens_passives=brand.opens_passives,
            created_at=brand.created_at,
        )


class ShopShape(ApiModel):
    """A shop, without its secrets."""

    id: str
    slug: str
    name: str
    platform: Platform | str
    currency: str
    time_zone: str
    locale: str
    url: str | None
    platform_settings: dict[str, str] = Field(description="Of the platform's settings those that are set.")
    created_at: datetime

    @classmethod
    def of(cls, shop: Shop) -> Self:
        """The schema of a shop."""
        return cls(
            id=public_id("shp", shop.id),
            slug=shop.slug,
            name=shop.name,
            platform=shop.platform,
            currency=shop.currency,
            time_zone=shop.time_zone,
            locale=shop.locale,
            url=shop.url,
            platform_settings=shop.platform_settings,
            created_at=shop.created_at,
        )


class ProgrammeVersionShape(ApiModel):
    """A programme as it was from one change to the next."""

    version: int
    created_at: datetime
    author: str = Field(description="`key_…`, `stf_…`, `cli`, or `defaults` for the first one.")
    programme: Programme

    @classmethod
    def of(cls, version: ProgrammeVersion) -> Self:
        """The schema of a version."""
        return cls(
            version=version.version,
            created_at=version.created_at,
            author=version.author,
            programme=Programme.model_validate(version.terms),
        )
