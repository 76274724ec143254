"""What the API shows of templates and of a brand's own texts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from pydantic import Field

from app.base.i18n import languages, translations
from app.base.schemas import ApiModel
from app.brands.models import Brand
from app.brands.programme import Channel
from app.messaging.lint_rules import Finding, FindingKind
from app.messaging.models import TemplateTexts
from app.messaging.preview import Preview
from app.messaging.templates import TemplateSpec
from app.messaging.text_rules import TextBlock, as_block


class BlockShape(ApiModel):
    """A text that may be written anew."""

    name: str
    channel: Channel
    required: list[str] = Field(description="Variables that it cannot do without, written as `{name}`.")
    optional: list[str] = Field(description="The other variables that it may have.")
    limit: int = Field(description="Characters.")

    @classmethod
    def of(cls, block: TextBlock) -> Self:
        """The schema of a block."""
        return cls(
            name=block.name,
            channel=block.channel,
            required=list(block.required),
            optional=list(block.optional),
            limit=block.limit,
        )


def default_texts(brand: Brand, spec: TemplateSpec, locale: str) -> dict[str, str]:
    """Our text of each block in a language, in the brand's form of address."""
    catalog = translations(brand.language_for(locale))
    return {block.name: as_block(catalog.gettext(block.replaces[0])) for block in spec.blocks}


class TextsShape(ApiModel):
    """A template's texts in one language."""

    locale: str
    version: int = Field(description="Of the own texts; 0 where they were never written.")
    default: dict[str, str] = Field(description="Our text of each block, in the brand's form of address.")
    own: dict[str, str] = Field(description="The brand's own; a block that is not here has our text.")

    @classmethod
    def of(cls, brand: Brand, spec: TemplateSpec, locale: str, present: TemplateTexts | None) -> Self:
        """The schema of the texts in a language."""
        return cls(
            locale=locale,
            version=0 if present is None else present.version,
            default=default_texts(brand, spec, locale),
            own={} if present is None else present.blocks,
        )


class TemplateShape(ApiModel):
    """A template with its blocks and their texts in every language."""

    name: str
    channels: list[Channel]
    blocks: list[BlockShape]
    texts: list[TextsShape]

    @classmethod
    def of(cls, brand: Brand, spec: TemplateSpec, present: dict[str, TemplateTexts]) -> Self:
        """The schema of a template; `present` are its own texts by language."""
        return cls(
            name=spec.name,
            channels=sorted(spec.channels),
            blocks=[BlockShape.of(block) for block in spec.blocks],
            texts=[TextsShape.of(brand, spec, each, present.get(each)) for each in languages()],
        )


class TemplateSummary(ApiModel):
    """A template, and the languages in which the brand has texts of its own."""

    name: str
    channels: list[Channel]
    blocks: list[str]
    own: list[str]


class TextsVersionShape(ApiModel):
    """The brand's texts as they were from one change to the next."""

    version: int
    created_at: datetime
    author: str = Field(description="`key_…`, `stf_…` or `cli`.")
    blocks: dict[str, str] = Field(description="Empty where our texts were brought back.")

    @classmethod
    def of(cls, row: TemplateTexts) -> Self:
        """The schema of a version."""
        return cls(version=row.version, created_at=row.created_at, author=row.author, blocks=row.blocks)


class FindingShape(ApiModel):
    """Something worth a second look; nothing is refused for it."""

    kind: FindingKind | str
    block: str | None = Field(description="Null where it is about the whole message.")
    detail: str = Field(description="A number, a variable or the characters, by the kind.")

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """The schema of a finding."""
        return cls(kind=finding.kind, block=finding.block, detail=finding.detail)


class PreviewShape(ApiModel):
    """A template as its reader would get it; null for a channel that it lacks."""

    subject: str | None
    html: str | None
    text: str | None
    sms: str | None
    sms_segments: int | None = Field(description="Parts that a provider counts.")
    sms_encoding: str | None = Field(description="`gsm7`, 153 to 160 characters a part, or `ucs2`, 67 to 70.")
    findings: list[FindingShape]

    @classmethod
    def of(cls, made: Preview, findings: Sequence[Finding]) -> Self:
        """The schema of a preview."""
        mail, parts = made.email, made.segments
        return cls(
            subject=mail.subject if mail else None,
            html=mail.html if mail else None,
            text=mail.text if mail else None,
            sms=made.sms,
            sms_segments=parts.count if parts else None,
            sms_encoding=parts.encoding if parts else None,
            findings=[FindingShape.of(each) for each in findings],
        )
