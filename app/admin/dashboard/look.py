"""Programme, Look: colour, words, logo and links beside the pages and mails that have them."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import orjson
from fastapi import Depends, Query
from pydantic import JsonValue, ValidationError
from starlette.responses import HTMLResponse, Response

from app.admin.api.brand import BrandChange
from app.admin.dashboard.access import ForViewer, MarketerWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.languages import LanguageDep
from app.admin.dashboard.preview_page import FRAMING, preview_page, scheme_of
from app.admin.dashboard.terms import may_change, refuse_limited
from app.admin.drafts import TERMS, opened_draft, sealed_draft
from app.admin.image_uploads import decode_images
from app.admin.sample_pages import Sample, SamplePage, mail_of, page_of, with_look
from app.admin.template_samples import first_shop
from app.admin.views import look as view
from app.admin.views.messages import language_tabs
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.i18n import N_, SOURCE, language_of, languages, translate
from app.base.web.pages import page
from app.brands.appearance import image_of
from app.brands.change import BrandFields, change_brand, checked_colour
from app.brands.entered import BRAND_TEXT_LIMIT
from app.brands.find import load_programme
from app.brands.images import remove_image, set_images
from app.brands.models import Brand
from app.brands.programme import Programme
from app.brands.rules import ImageKind

LOOK = "/admin/programme/look"
_KIND = "look"
_IMAGES = {
    ImageKind.logo: N_("Logo"),
    ImageKind.logo_dark: N_("Logo in the dark"),
    ImageKind.picture: N_("Picture"),
}
_PAGES = {
    SamplePage.survey: N_("Survey"),
    SamplePage.thanks: N_("Thank-you"),
    SamplePage.friend: N_("Friend’s page"),
    SamplePage.mail: N_("Mail"),
}
router = screen_router(LOOK)


@router.get("")
async def show_look(frame: ForViewer, language: LanguageDep) -> Response:
    """The look beside the pages and the mail that have it, in a language."""
    language = language or language_of(frame.brand.locale)
    return await _look_page(frame, language, view.entered_look(frame.brand, language))


@router.post("")
async def save_look(writer: MarketerWriter, language: LanguageDep) -> Response:
    """Save what was changed; by `act` preview it, with the nearest colour where `nearest`."""
    frame, sent = writer
    refuse_limited(frame)
    language = language or language_of(frame.brand.locale)
    present = view.entered_look(frame.brand, language)
    shown = view.read_shown(sent.text("shown"), present)
    given = set(sent.names())
    entered = {name: sent.text(name, limit=1_000) if name in given else text for name, text in shown.items()}
    if sent.text("act") == "nearest":
        entered["accent"] = sent.text("nearest", limit=7)
    if sent.text("act") in ("preview", "nearest"):
        return await _look_page(frame, language, entered, shown)
    changes = view.changed_look(frame.brand, language, entered, shown)
    errors = _errors(changes)
    if errors:
        return await _look_page(frame, language, entered, shown, errors)
    if not changes:
        return frame.redirect(_here(language), translate(SOURCE, "Nothing was changed."))
    fields = _fields(changes)
    await change_brand(frame.session, frame.brand.id, fields, actor=frame.staff.actor)
    return frame.redirect(_here(language), translate(SOURCE, "Saved. Pages and mails look so from now on."))


def _here(language: str) -> str:
    return f"{LOOK}?language={language}"


def _fields(changes: Mapping[str, JsonValue]) -> BrandFields:
    change = BrandChange.model_validate(changes)
    return cast("BrandFields", change.model_dump(mode="json", by_alias=True, exclude_unset=True))


def _errors(changes: Mapping[str, JsonValue]) -> dict[str, str]:
    """Why these fields cannot be, a sentence by the name of the input."""
    found: dict[str, str] = {}
    try:
        fields = _fields(changes)
        accent = fields.get("branding", {}).get("accent")
        if accent:
            checked_colour(accent)
    except AppError as error:
        found["accent"] = error.detail
    except ValidationError as error:
        # A text is one or a map: what is wrong with both is reported, too long a text first.
        faults = error.errors(include_url=False, include_input=False)
        for each in sorted(faults, key=lambda fault: fault["type"] != "string_too_long"):
            name = next((str(part) for part in each["loc"] if part != "branding"), "accent")
            found.setdefault(name, _sentence(name, each["type"]))
    return found


def _sentence(name: str, kind: str) -> str:
    if name in view.LINKS:
        return translate(SOURCE, "Write a web address such as https://shop.example/privacy.")
    if kind == "string_too_long":
        return translate(SOURCE, "It has at most %(limit)s characters.", limit=BRAND_TEXT_LIMIT)
    return translate(SOURCE, "Write one plain line.")


async def _look_page(
    frame: Frame,
    language: str,
    entered: dict[str, str],
    shown: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    brand = frame.brand
    present = view.entered_look(brand, language)
    shown = shown or present
    changes = view.changed_look(brand, language, entered, shown)
    errors = {**_errors(changes), **(errors or {})}
    accent = entered["accent"]
    values = {
        **_choices(frame, language),
        "path": _here(language),
        "language": language,
        "entered": entered,
        "present": present,
        "shown": orjson.dumps(dict(shown)).decode(),
        "texts": view.shown_texts(entered, present),
        "colour": None if not accent or "accent" in errors else checked_colour(accent),
        "pages": _sample_frames(frame, language, {} if errors else changes),
        "faults": {name: f"{view.field_name(name)}: {text}" for name, text in errors.items()},
        "changes": sum(entered.get(name, "") != text for name, text in present.items()),
        "errors": errors,
        "may_change": may_change(frame),
    }
    status = 422 if errors else 200
    return frame.page("admin/look.html", "look", values, status=status, headers=FRAMING)


def _choices(frame: Frame, language: str) -> dict[str, object]:
    """What the form offers whatever was entered: languages, faces, links and images."""
    images = [
        (kind.value, translate(SOURCE, name), image_of(frame.brand, kind)) for kind, name in _IMAGES.items()
    ]
    return {
        "languages": language_tabs(languages(), language, lambda each: frame.url(LOOK, language=each)),
        "text_limit": BRAND_TEXT_LIMIT,
        "faces": [(value, translate(SOURCE, name)) for value, name in view.FACES],
        "links": [(name, translate(SOURCE, text)) for name, text in view.LINKS.items()],
        "images": images,
    }


def _sample_frames(
    frame: Frame, language: str, changes: Mapping[str, JsonValue]
) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Each sample page: its key, name, and the address of its frame by colour scheme.

    With changes they show these as a draft that the address carries.
    """
    draft = {}
    if changes:
        draft["draft"] = sealed_draft(frame.context.tokens, frame.brand.id, _KIND, changes, now=clock.now())

    def address(kind: SamplePage, scheme: str) -> str:
        return frame.url(f"{LOOK}/frame/{kind}", language=language, scheme=scheme, **draft)

    return [
        (kind.value, translate(SOURCE, name), [(each, address(kind, each)) for each in ("light", "dark")])
        for kind, name in _PAGES.items()
    ]


@router.post("/images/{kind}")
async def change_image(kind: str, writer: MarketerWriter) -> Response:
    """Show an uploaded image from now on, or with `act` `remove` none of this kind."""
    frame, sent = writer
    refuse_limited(frame)
    if kind not in {each.value for each in _IMAGES}:
        raise NotFound
    image, actor = ImageKind(kind), frame.staff.actor
    if sent.text("act") == "remove":
        await remove_image(frame.session, frame.brand.id, image, actor=actor)
        return frame.redirect(LOOK, translate(SOURCE, "Removed."))
    chosen = sent.file("file")
    if chosen is None:
        return frame.redirect(LOOK, translate(SOURCE, "Choose a file first."), Tone.failed)
    try:
        files = await decode_images(await chosen.read(), image)
    except AppError as error:
        return frame.redirect(LOOK, error.detail, Tone.failed)
    await set_images(frame.session, frame.brand.id, files, actor=actor)
    return frame.redirect(LOOK, translate(SOURCE, "Shown from now on."))


async def _sample_page(kind: str) -> SamplePage:
    """The page that the path names; raises NotFound for any other."""
    if kind not in set(SamplePage):
        raise NotFound
    return SamplePage(kind)


@router.get("/frame/{kind}")
async def show_frame(  # FastAPI passes each part of a request by name
    frame: ForViewer,
    kind: Annotated[SamplePage, Depends(_sample_page)],
    language: LanguageDep,
    scheme: Annotated[str, Query(max_length=10)] = "light",
    draft: Annotated[str, Query(max_length=24_000)] = "",
    terms: Annotated[str, Query(max_length=24_000)] = "",
) -> Response:
    """A page or the mail as customers would see it, with a draft of the look or of the terms."""
    context = frame.context
    sample = Sample(
        brand=_drafted_brand(frame, draft),
        shop=await first_shop(frame.session, frame.brand),
        programme=await _drafted_terms(frame, terms),
        locale=language or language_of(frame.brand.locale),
        public_url=context.settings.public_url,
        now=clock.now(),
    )
    if kind is SamplePage.mail:
        html = await mail_of(frame.session, context, sample)
    else:
        template, values = page_of(kind, sample)
        shown: HTMLResponse = page(template, values, language=sample.language)
        html = bytes(shown.body).decode()
    return preview_page(html, scheme_of(scheme), sample.public_url)


def _drafted_brand(frame: Frame, text: str) -> Brand:
    """The brand with the look of a draft; as it is without one."""
    brand = frame.brand
    draft = opened_draft(frame.context.tokens, brand.id, _KIND, text, now=clock.now())
    if draft is None:
        return with_look(brand, {})
    fields: dict[str, Any] = {**_fields(draft)}
    return with_look(brand, {**fields, "branding": {**brand.branding, **fields.get("branding", {})}})


async def _drafted_terms(frame: Frame, text: str) -> Programme:
    """The terms of a draft, else those in force."""
    draft = opened_draft(frame.context.tokens, frame.brand.id, TERMS, text, now=clock.now())
    if draft is not None:
        return Programme.model_validate(draft)
    return (await load_programme(frame.session, frame.brand.id)).programme
