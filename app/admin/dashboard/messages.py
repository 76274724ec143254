"""Programme, Messages: the brand's own texts, previewed, sent to oneself, and taken back."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import JsonValue
from starlette.responses import Response

from app.admin.dashboard.access import ForViewer, MarketerWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.form import Form
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.languages import LanguageDep
from app.admin.dashboard.list_exports import links_of
from app.admin.dashboard.preview_page import FRAMING, preview_page, scheme_of
from app.admin.dashboard.terms import may_change, refuse_limited, version_of
from app.admin.drafts import opened_draft, sealed_draft
from app.admin.export_rules import ExportName
from app.admin.listing import PageRequest
from app.admin.template_samples import preview_template, send_sample_to
from app.admin.texts import language_text
from app.admin.version_pages import list_texts_versions
from app.admin.views import messages as view
from app.admin.views.audit import Names
from app.admin.views.names import key_names, staff_names
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.i18n import SOURCE, language_of, translate
from app.brands.find import load_programme
from app.messaging.models import TemplateTexts
from app.messaging.own_texts import (
    change_texts,
    find_text_problems,
    load_own_texts,
    load_present,
    load_texts_versions,
)
from app.messaging.templates import TemplateSpec, customer_templates, find_template
from app.messaging.text_schemas import PreviewShape, TemplateShape, TextsShape

MESSAGES = "/admin/programme/messages"
_AT_ONCE = 20
_KIND = "texts"
Present = dict[str, TemplateTexts]
"""The latest texts of a template by language."""
router = screen_router(MESSAGES)


def _template(name: str) -> TemplateSpec:
    found = find_template(name)
    if found is None or found.to_staff:
        raise NotFound
    return found


async def _spec(request: Request) -> TemplateSpec:
    """The template that the path names, by a dependency: raises NotFound for any other."""
    return _template(request.path_params["name"])


SpecDep = Annotated[TemplateSpec, Depends(_spec)]


@router.get("")
async def list_messages(frame: ForViewer) -> Response:
    """Every message to customers, and the languages in which the brand has texts of its own."""
    own = (await load_own_texts(frame.session, frame.brand)).by_locale
    values = {
        "templates": [
            {
                "href": frame.url(f"{MESSAGES}/{spec.name}"),
                "name": view.template_name(spec.name),
                "purpose": view.template_purpose(spec.name),
                "channels": sorted(spec.channels),
                "own": [language_text(locale) for name, locale in sorted(own) if name == spec.name],
            }
            for spec in sorted(customer_templates(), key=_as_sent)
        ],
        "exports": links_of(frame, ExportName.messages, ()),
    }
    return frame.page("admin/messages.html", "messages", values)


def _as_sent(spec: TemplateSpec) -> int:
    """The place of a template in the order in which a person gets them."""
    known = list(view.TEMPLATES)
    return known.index(spec.name) if spec.name in known else len(known)


@router.get("/{name}")
async def show_message(frame: ForViewer, spec: SpecDep, language: LanguageDep) -> Response:
    """One message in a language: its texts and how it looks; with `from` those of a version."""
    language = language or language_of(frame.brand.locale)
    present, texts = await _texts(frame, spec, language)
    entered: Mapping[str, str] = texts.own
    earlier = frame.request.query_params.get("from", "")
    if earlier.isdigit() and len(earlier) < 9:
        found = await load_texts_versions(frame.session, frame.brand.id, spec, language, [int(earlier)])
        entered = found.get(int(earlier), entered)
    return await _message_page(frame, spec, (present, texts), entered)


@router.post("/{name}")
async def save_message(writer: MarketerWriter, spec: SpecDep, language: LanguageDep) -> Response:
    """Save the texts of a language; by `act` preview them, or mail the saved ones to oneself."""
    frame, sent = writer
    refuse_limited(frame)
    language = language or language_of(frame.brand.locale)
    here = f"{MESSAGES}/{spec.name}?language={language}"
    if sent.text("act") == "sample":
        return await _send_sample(frame, spec, language, here)
    (present, texts), entered = await _texts(frame, spec, language), _entered(sent, spec)
    if sent.text("act") == "preview":
        return await _message_page(frame, spec, (present, texts), entered)
    errors = find_text_problems(frame.brand, spec, entered)
    if errors:
        return await _message_page(frame, spec, (present, texts), entered, errors)
    actor, based_on = frame.staff.actor, version_of(sent)
    try:
        version = await change_texts(
            frame.session, frame.brand.id, spec, language, entered, actor=actor, if_version=based_on
        )
    except AppError as error:
        return await _message_page(frame, spec, (present, texts), entered, {"texts": _refusal(error)})
    if version == texts.version:
        return frame.redirect(here, translate(SOURCE, "Nothing was changed."))
    return frame.redirect(here, translate(SOURCE, "Saved. Messages from now on have these texts."))


def _refusal(error: AppError) -> str:
    if error.code != "precondition_failed":
        return error.detail
    return translate(
        SOURCE,
        "Somebody saved other texts meanwhile. Yours are kept below, beside those; save again to put them in force.",
    )


async def _send_sample(frame: Frame, spec: TemplateSpec, language: str, here: str) -> Response:
    try:
        await send_sample_to(
            frame.session,
            frame.brand.id,
            spec,
            language,
            address=frame.staff.email,
            actor=frame.staff.actor,
            now=clock.now(),
        )
    except AppError as error:
        return frame.redirect(here, error.detail, Tone.failed)
    return frame.redirect(
        here, translate(SOURCE, "A sample with the saved texts goes to %(email)s.", email=frame.staff.email)
    )


def _entered(sent: Form, spec: TemplateSpec) -> dict[str, str]:
    """The texts that were filled in; an empty one, or ours as it is, is left out."""
    found = {block.name: sent.text(f"block.{block.name}") for block in spec.blocks}
    return {name: text for name, text in found.items() if text}


async def _texts(frame: Frame, spec: TemplateSpec, language: str) -> tuple[Present, TextsShape]:
    """The latest texts in all languages, and in this one."""
    present = await load_present(frame.session, frame.brand.id, spec)
    return present, TextsShape.of(frame.brand, spec, language, present.get(language))


async def _message_page(
    frame: Frame,
    spec: TemplateSpec,
    stored: tuple[Present, TextsShape],
    entered: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
) -> Response:
    present, texts = stored
    problems = find_text_problems(frame.brand, spec, entered)
    errors = {**problems, **(errors or {})}
    good = {name: text for name, text in entered.items() if name not in problems}
    programme = (await load_programme(frame.session, frame.brand.id)).programme
    shown = await preview_template(
        frame.session,
        frame.context,
        frame.brand,
        spec,
        texts.locale,
        good,
        programme=programme,
        now=clock.now(),
    )
    shape = TemplateShape.of(frame.brand, spec, present)
    blocks = view.shown_blocks(shape.blocks, texts, entered, errors, programme)
    base = f"{MESSAGES}/{spec.name}"
    locales = [each.locale for each in shape.texts]
    values = {
        "name": view.template_name(spec.name),
        "purpose": view.template_purpose(spec.name),
        "path": f"{base}?language={texts.locale}",
        "versions_path": f"{base}/versions?language={texts.locale}",
        "languages": view.language_tabs(locales, texts.locale, lambda each: f"{base}?language={each}"),
        "language": texts.locale,
        "version": texts.version,
        "blocks": blocks,
        "changes": sum(block.is_changed for block in blocks),
        "errors": {f"block.{name}" if name != "texts" else name: text for name, text in errors.items()},
        "frames": _mail_frames(frame, spec, texts, good),
        "findings": [view.finding_text(each) for each in shown.findings],
        "shown": shown,
        "may_change": may_change(frame),
        "exports": links_of(frame, ExportName.messages, (), {"template": spec.name}),
    }
    status = 422 if errors else 200
    return frame.page("admin/message.html", "messages", values, status=status, headers=FRAMING)


def _mail_frames(
    frame: Frame, spec: TemplateSpec, texts: TextsShape, good: Mapping[str, str]
) -> dict[str, str]:
    """The address of the mail by colour scheme; texts that are not saved go along as a draft."""
    draft = {}
    if good != texts.own:
        content: dict[str, JsonValue] = {"template": spec.name, "blocks": {**good}}
        draft["draft"] = sealed_draft(frame.context.tokens, frame.brand.id, _KIND, content, now=clock.now())
    return {
        scheme: frame.url(f"{MESSAGES}/{spec.name}/frame", language=texts.locale, scheme=scheme, **draft)
        for scheme in ("light", "dark")
    }


@router.get("/{name}/frame")
async def show_frame(
    frame: ForViewer,
    spec: SpecDep,
    language: LanguageDep,
    scheme: Annotated[str, Query(max_length=10)] = "light",
    draft: Annotated[str, Query(max_length=24_000)] = "",
) -> Response:
    """The mail as a mailbox shows it, with the saved texts or those of a draft."""
    shown = await _preview(frame, spec, language or language_of(frame.brand.locale), draft)
    if shown.html is None:
        raise NotFound
    return preview_page(shown.html, scheme_of(scheme), frame.context.settings.public_url)


async def _preview(frame: Frame, spec: TemplateSpec, language: str, draft: str) -> PreviewShape:
    now = clock.now()
    blocks: dict[str, str] | None = None
    content = opened_draft(frame.context.tokens, frame.brand.id, _KIND, draft, now=now)
    if content is not None and content["template"] == spec.name and isinstance(content["blocks"], dict):
        blocks = {name: str(text) for name, text in content["blocks"].items()}
    return await preview_template(frame.session, frame.context, frame.brand, spec, language, blocks, now=now)


@router.get("/{name}/versions")
async def show_versions(frame: ForViewer, spec: SpecDep, language: LanguageDep) -> Response:
    """Every version of the texts with what it changed, who did and when; newest first."""
    language = language or language_of(frame.brand.locale)
    wanted = PageRequest(frame.context.tokens, _AT_ONCE, frame.request.query_params.get("cursor"))
    found = await list_texts_versions(frame.session, wanted, frame.brand.id, spec.name, language)
    _, texts = await _texts(frame, spec, language)
    oldest = found.data[-1].version if found.data else 0
    brand_id = frame.brand.id
    before = await load_texts_versions(frame.session, brand_id, spec, language, [oldest - 1])
    blocks = {**before, **{each.version: each.blocks for each in found.data}}
    names = Names(await staff_names(frame.session, brand_id), await key_names(frame.session, brand_id), {})
    values = {
        "name": view.template_name(spec.name),
        "language_name": language_text(language),
        "path": f"{MESSAGES}/{spec.name}?language={language}",
        "versions": [
            {
                "number": each.version,
                "at": each.created_at,
                "who": names.actor(each.author),
                "is_in_force": each.version == texts.version,
                "changes": view.text_changes(blocks.get(each.version - 1, {}), each.blocks, texts.default),
            }
            for each in found.data
        ],
        "older": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
        "may_change": may_change(frame),
    }
    return frame.page("admin/message_versions.html", "messages", values)
