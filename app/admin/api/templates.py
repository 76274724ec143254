"""Message templates: the texts that a brand may write itself, block by block."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from app.admin import version_pages
from app.admin.api.programme import IfVersion
from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer
from app.admin.fields import Address, Plain
from app.admin.idempotency import IdempotentWrite, IdempotentWriteDep, WriteResult
from app.admin.listing import PageDep
from app.admin.template_samples import preview_template, send_sample_to
from app.base import clock
from app.base.actor import Actor
from app.base.errors import NotFound
from app.base.schemas import ApiModel, Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems, response_header
from app.brands.find import load_brand
from app.messaging.own_texts import (
    Blocks,
    change_texts,
    check_language,
    load_own_texts,
    load_present,
)
from app.messaging.templates import TemplateSpec, customer_templates, find_template
from app.messaging.text_schemas import (
    PreviewShape,
    TemplateShape,
    TemplateSummary,
    TextsShape,
    TextsVersionShape,
)

router = APIRouter(prefix="/templates", tags=["messages"], route_class=ApiRoute)
_ETAG = response_header("ETag", "The version of the own texts in this language.")
Texts = Annotated[
    dict[Plain, Annotated[str, Field(max_length=2_000)]],
    Field(max_length=50, description="Texts by the name of their block."),
]


class NewTexts(BaseModel):
    """All own texts of a template in one language; a block left out has our text."""

    model_config = ConfigDict(extra="forbid")

    blocks: Texts


class PreviewOrder(BaseModel):
    """What to show: these texts, or the ones in force where `blocks` is null."""

    model_config = ConfigDict(extra="forbid")

    blocks: Texts | None = None
    complete: bool = Field(
        default=True, description="Whether the sample has every value, or only those always there."
    )


class SampleOrder(BaseModel):
    """Whom a sample is mailed to."""

    model_config = ConfigDict(extra="forbid")

    to: Address = Field(description="The address of a member of the team.")


class SampleQueued(ApiModel):
    """The sample is on its way."""

    queued: Literal[True] = True


@router.get("")
async def list_templates(caller: Reader, session: SessionDep) -> Page[TemplateSummary]:
    """All templates of messages to customers."""
    own = (await load_own_texts(session, await load_brand(session, caller.brand_id))).by_locale
    data = [
        TemplateSummary(
            name=spec.name,
            channels=sorted(spec.channels),
            blocks=[block.name for block in spec.blocks],
            own=sorted(locale for name, locale in own if name == spec.name),
        )
        for spec in customer_templates()
    ]
    return Page(data=data, next_cursor=None)


@router.get("/{name}", responses=problems(404))
async def show_template(name: Plain, caller: Reader, session: SessionDep) -> TemplateShape:
    """A template: its blocks, our texts and the brand's own in every language."""
    spec = _find(name)
    brand = await load_brand(session, caller.brand_id)
    return TemplateShape.of(brand, spec, await load_present(session, brand.id, spec))


@router.put("/{name}/{locale}", response_model=TextsShape, responses=_ETAG | problems(404, 412, 413))
async def put_texts(  # FastAPI passes each part of a request by name
    name: Plain,
    locale: Plain,
    body: NewTexts,
    caller: Writer,
    if_version: IfVersion,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Put own texts in force, for messages that are sent from now on.

    A text is one plain line with variables such as `{brand}`; another variable, a missing one that
    is required, a brace, HTML, and an address outside the brand's domains are refused (`bad_text`).
    """
    return await _change(name, locale, body.blocks, caller, if_version, write)


@router.delete("/{name}/{locale}", response_model=TextsShape, responses=_ETAG | problems(404, 412))
async def remove_texts(
    name: Plain, locale: Plain, caller: Writer, if_version: IfVersion, write: IdempotentWriteDep
) -> JSONResponse:
    """Bring our texts back in this language."""
    return await _change(name, locale, {}, caller, if_version, write)


async def _change(  # what its two callers have
    name: str, locale: str, blocks: Blocks, caller: Actor, if_version: IfVersion, write: IdempotentWrite
) -> JSONResponse:
    spec = _find(name)

    async def act() -> WriteResult:
        session, brand_id = write.session, caller.brand_id
        version = await change_texts(
            session, brand_id, spec, locale, blocks, actor=caller, if_version=if_version
        )
        present = (await load_present(session, brand_id, spec)).get(locale)
        shape = TextsShape.of(await load_brand(session, brand_id), spec, locale, present)
        return WriteResult(shape, headers={"ETag": f'"{version}"'})

    return await write.run(caller, act)


@router.get("/{name}/{locale}/versions", responses=problems(404))
async def list_texts_versions(
    name: Plain, locale: Plain, caller: Reader, page: PageDep, session: SessionDep
) -> Page[TextsVersionShape]:
    """Every version of the own texts in this language, newest first: the first one is in force."""
    check_language(locale)
    spec = _find(name)
    return await version_pages.list_texts_versions(session, page, caller.brand_id, spec.name, locale)


@router.post("/{name}/{locale}/preview", responses=problems(404, 413))
async def preview_texts(  # FastAPI passes each part of a request by name
    name: Plain, locale: Plain, body: PreviewOrder, caller: Writer, context: ContextDep, session: SessionDep
) -> PreviewShape:
    """Render a template with its sample, in the look of the brand's first shop. Changes nothing."""
    spec = _find(name)
    check_language(locale)
    brand = await load_brand(session, caller.brand_id)
    return await preview_template(
        session, context, brand, spec, locale, body.blocks, complete=body.complete, now=clock.now()
    )


@router.post("/{name}/{locale}/sample", response_model=SampleQueued, responses=problems(404, 409, 413, 429))
async def send_to_team(
    name: Plain, locale: Plain, body: SampleOrder, caller: Writer, write: IdempotentWriteDep
) -> JSONResponse:
    """Mail a template's sample with the texts in force to a member of the team."""
    spec = _find(name)

    async def act() -> WriteResult:
        await send_sample_to(
            write.session, caller.brand_id, spec, locale, address=body.to, actor=caller, now=clock.now()
        )
        return WriteResult(SampleQueued())

    return await write.run(caller, act)


def _find(name: str) -> TemplateSpec:
    spec = find_template(name)
    if spec is None or spec.to_staff:
        raise NotFound
    return spec
