"""Template versions: the exact content that a message was sent with, addressed by its hash.

A version holds everything that rendering needs besides a message's own row: the Jinja2 sources, the
translated strings that they use, what their names mean, and the branding. So a message can be
shown as sent after the files, the translations or the brand have changed.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Self

import orjson
from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import recordset
from app.base.colour import DEFAULT_ACCENT
from app.base.colour_palette import palettes_of
from app.base.paths import ROOT
from app.base.text import one_line
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.brands.rules import accent_of
from app.messaging.look import MailLook, look_of
from app.messaging.models import TemplateVersion
from app.messaging.sources import translated
from app.messaging.templates import Link, LinkRow, ParamKind, ParamLink, TemplateSpec, TokenLink

FOLDER = ROOT / "templates"
_EMAIL_FILES = {"subject": "subject.txt", "text": "body.txt", "html": "body.html"}


@dataclass(frozen=True, slots=True)
class Branding:
    """What every message of a brand's shop shows."""

    brand: str
    shop: str
    postal_address: str
    accent: str
    accent_ink: str
    privacy_url: str = ""
    terms_url: str = ""
    imprint_url: str = ""
    """Empty where the brand has none, and in versions from before there were such fields."""
    look: MailLook = field(default_factory=MailLook)

    def values(self) -> dict[str, str]:
        """The values by the names that templates use."""
        own = {name: getattr(self, name) for name in self.__slots__ if name != "look"}
        logo = self.look.logo
        holds_name = logo is not None and not logo.is_mark
        # The name is read once: beside the logo, or in its place, or as its text.
        name = {"logo_alt": self.brand if holds_name else "", "logo_name": "" if holds_name else self.brand}
        return {**own, **name, **self.look.values()}


def branding_of(brand: Brand, shop: Shop, public_url: str) -> Branding:
    """The present branding of a brand's shop, each value in one line, never cut."""
    accent = accent_of(brand.branding) or DEFAULT_ACCENT
    return Branding(
        one_line(brand.name, limit=1000),
        one_line(shop.name, limit=1000),
        one_line(", ".join(brand.postal_address.splitlines()), limit=1000),
        f"#{accent}",
        f"#{palettes_of(accent).light.on_brand}",
        **{name: url or "" for name, url in brand.legal_urls.items()},
        look=look_of(brand, public_url),
    )


@dataclass(frozen=True, eq=False)
class VersionContent:
    """The content of one template version. Stored as JSON; equal content has an equal id."""

    template: str
    channel: Channel
    language: str
    parts: Mapping[str, str]
    """Jinja2 sources: `subject`, `text` and `html` of an e-mail, `text` of an SMS."""
    translations: Mapping[str, str]
    """Translations of the parts' strings; a string that is not here stays as written."""
    params: tuple[str, ...]
    """Names of the parameters, those that may be absent included."""
    links: Mapping[str, Link]
    dates: tuple[str, ...]
    """Parameters that are ISO dates."""
    choices: tuple[str, ...]
    """Parameters that the parts compare with a word."""
    branding: Branding
    texts: Mapping[str, str]
    """The brand's own texts by the English one in whose place they are; see `text_rules`."""

    @cached_property
    def id(self) -> bytes:
        """SHA-256 of the whole content."""
        return hashlib.sha256(orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)).digest()

    def to_json(self) -> dict[str, Any]:
        """The content as stored in its row."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The content of a row."""
        return cls(
            template=stored["template"],
            channel=Channel(stored["channel"]),
            language=stored["language"],
            parts=stored["parts"],
            translations=stored["translations"],
            params=tuple(stored["params"]),
            links={name: _link(link) for name, link in stored["links"].items()},
            dates=tuple(stored["dates"]),
            choices=tuple(stored["choices"]),
            branding=_branding(stored["branding"]),
            texts=stored.get("texts", {}),
        )


def _branding(stored: Mapping[str, Any]) -> Branding:
    look = stored.get("look")
    return Branding(**{**stored, "look": MailLook.from_json(look) if look else MailLook()})


def _link(stored: Mapping[str, str]) -> Link:
    if "purpose" in stored:
        row = stored["row"]
        # Any other word is the name of a parameter.
        return TokenLink(stored["path"], stored["purpose"], LinkRow(row) if row in set(LinkRow) else row)
    return ParamLink(stored["path"], stored["param"])


@lru_cache(maxsize=4096)
def current_version(
    spec: TemplateSpec,
    channel: Channel,
    language: str,
    branding: Branding,
    texts: tuple[tuple[str, str], ...] = (),
) -> VersionContent:
    """The version for a message that is sent now; files are read once per process.

    `texts` are the brand's own, as `own_texts.OwnTexts.replaced` returns them.
    """
    parts, translations = shared_parts(spec.content_name, channel, language)
    return VersionContent(
        template=spec.name,
        channel=channel,
        language=language,
        parts=parts,
        translations=translations,
        params=tuple(param.name for param in spec.param_list),
        links=dict(spec.all_links),
        dates=spec.names_of(ParamKind.date),
        choices=spec.names_of(ParamKind.choice),
        branding=branding,
        texts=dict(texts),
    )


@lru_cache(maxsize=512)
def shared_parts(name: str, channel: Channel, language: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The parts and translations that the versions of all brands share."""
    parts = template_parts(name, channel)
    return parts, translated(parts.values(), language)


def template_parts(name: str, channel: Channel) -> dict[str, str]:
    """The sources of a template's files for a channel."""
    if channel is Channel.sms:
        return {"text": (FOLDER / "sms" / f"{name}.txt").read_text()}
    folder = FOLDER / "emails" / name
    return {part: (folder / file).read_text() for part, file in _EMAIL_FILES.items()}


async def store_versions(session: AsyncSession, brand_id: int, versions: Collection[VersionContent]) -> None:
    """Store versions that messages of this transaction will point at; stored ones do not change."""
    if not versions:
        return
    # In one order everywhere, so that two transactions with the same versions cannot deadlock.
    ordered = sorted(versions, key=lambda version: version.id)
    rows = [{"id": version.id, "content": version.to_json()} for version in ordered]
    given = recordset(rows, [TemplateVersion.id, TemplateVersion.content])
    await session.execute(
        insert(TemplateVersion)
        .from_select(
            ["brand_id", *given.c.keys()],
            select(literal(brand_id), *given.c).order_by(given.c.id),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
    )
