"""Brands' own texts of templates: read, change, and put in place of ours."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, differing, record_action
from app.base.errors import AppError
from app.base.i18n import language_tag, languages
from app.base.text import quoted
from app.brands.models import Brand
from app.brands.programme import Channel
from app.messaging.models import TemplateTexts
from app.messaging.templates import TemplateSpec
from app.messaging.text_rules import find_problem

Blocks = Mapping[str, str]
"""Texts by the name of their block."""
Replaced = tuple[tuple[str, str], ...]
"""English texts of a template's files, each with what stands in its place."""


@dataclass(frozen=True, slots=True)
class OwnTexts:
    """The texts in force of one brand."""

    by_locale: Mapping[tuple[str, str], Blocks] = field(default_factory=dict)
    """By template and language."""
    _replaced: dict[tuple[str, Channel, str], Replaced] = field(default_factory=dict)

    def replaced(self, spec: TemplateSpec, channel: Channel, language: str) -> Replaced:
        """What the brand's texts stand for in a message of this template.

        `language` may be a variant: a brand writes its texts in its own form of address.
        """
        if not self.by_locale:
            return ()
        key = spec.content_name, channel, language_tag(language)
        found = self._replaced.get(key)
        if found is None:
            blocks = self.by_locale.get((spec.content_name, key[2]), {})
            found = self._replaced[key] = replaced_texts(spec, channel, blocks)
        return found


def replaced_texts(spec: TemplateSpec, channel: Channel, blocks: Blocks) -> Replaced:
    """As `OwnTexts.replaced`, of these blocks; those that the template lacks count for nothing."""
    return tuple(
        (text, blocks[block.name])
        for block in spec.blocks
        if block.channel is channel and block.name in blocks
        for text in block.replaces
    )


async def load_own_texts(session: AsyncSession, brand: Brand) -> OwnTexts:
    """The brand's texts in force; no query for a brand that never had any."""
    if not brand.text_changes:
        return OwnTexts()
    rows = await session.scalars(
        select(TemplateTexts)
        .where(TemplateTexts.brand_id == brand.id)
        .ext(distinct_on(TemplateTexts.template, TemplateTexts.locale))
        .order_by(TemplateTexts.template, TemplateTexts.locale, TemplateTexts.version.desc())
    )
    return OwnTexts({(row.template, row.locale): row.blocks for row in rows if row.blocks})


async def load_present(session: AsyncSession, brand_id: int, spec: TemplateSpec) -> dict[str, TemplateTexts]:
    """The latest version of a template's texts by language, without those never written."""
    rows = await session.scalars(
        select(TemplateTexts)
        .where(TemplateTexts.brand_id == brand_id, TemplateTexts.template == spec.name)
        .ext(distinct_on(TemplateTexts.locale))
        .order_by(TemplateTexts.locale, TemplateTexts.version.desc())
    )
    return {row.locale: row for row in rows}


async def load_texts_versions(
    session: AsyncSession, brand_id: int, spec: TemplateSpec, locale: str, versions: Collection[int]
) -> dict[int, Blocks]:
    """Several versions of a template's texts in a language; those that there are."""
    rows = await session.scalars(
        select(TemplateTexts).where(
            TemplateTexts.brand_id == brand_id,
            TemplateTexts.template == spec.name,
            TemplateTexts.locale == locale,
            TemplateTexts.version.in_(versions),
        )
    )
    return {row.version: row.blocks for row in rows}


async def change_texts(
    session: AsyncSession,
    brand_id: int,
    spec: TemplateSpec,
    locale: str,
    blocks: Blocks,
    *,
    actor: Actor,
    if_version: Collection[int] | None = None,
) -> int:
    """Put these texts in force in place of the brand's present ones, and return their version.

    None brings all of ours back; the same ones make no new version. Concurrent changes come one
    after the other. Raises `AppError` `unknown_language`, `bad_text`, and `precondition_failed`
    (412) where the present version is none of `if_version`.
    """
    check_language(locale)
    wanted = select(Brand).where(Brand.id == brand_id).with_for_update()
    brand = (await session.scalars(wanted.execution_options(populate_existing=True))).one()
    check_texts(brand, spec, blocks)
    present = (await load_present(session, brand_id, spec)).get(locale)
    version = 0 if present is None else present.version
    before: Blocks = {} if present is None else present.blocks
    if if_version is not None and version not in if_version:
        raise _changed_meanwhile(version)
    if before == blocks:
        return version
    row = TemplateTexts(
        brand_id=brand_id,
        template=spec.name,
        locale=locale,
        version=version + 1,
        blocks=dict(blocks),
        author=actor.name,
    )
    session.add(row)
    brand.text_changes += 1
    changes = {f"{spec.name}.{locale}.{name}": both for name, both in differing(before, blocks).items()}
    await record_action(session, actor, AuditAction.texts_changed, ("template", None), changes)
    await session.flush()
    return row.version


def _changed_meanwhile(version: int) -> AppError:
    return AppError(
        "precondition_failed",
        "The texts were changed meanwhile; get them again and repeat your change on them.",
        status=412,
        headers={"ETag": f'"{version}"'},
    )


def check_language(locale: str) -> None:
    """Raise `AppError` `unknown_language` for one that we have no texts in."""
    if locale not in languages():
        raise AppError(
            "unknown_language",
            f"There are no texts in the language {quoted(locale)}; use one of {', '.join(languages())}.",
        )


def check_texts(brand: Brand, spec: TemplateSpec, blocks: Blocks) -> None:
    """Raise `AppError` `bad_text` for a block that the template lacks or a text it cannot have."""
    for problem in find_text_problems(brand, spec, blocks).values():
        raise AppError("bad_text", problem)


def find_text_problems(brand: Brand, spec: TemplateSpec, blocks: Blocks) -> dict[str, str]:
    """Why the template cannot have these texts, by block; empty where it can."""
    known = {block.name: block for block in spec.blocks}
    found = {}
    for name, text in blocks.items():
        if name in known:
            problem = find_problem(known[name], text, brand.domains)
        else:
            problem = (
                f"The template {spec.name} has no block {quoted(name)}; its blocks are {', '.join(known)}."
            )
        if problem is not None:
            found[name] = problem
    return found
