"""Programme, Terms: the form with its preview, the versions, and the three switches."""

from starlette.responses import Response

from app.admin import drafts
from app.admin.dashboard.access import ForMarketer, ForViewer, MarketerWriter, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.form import Form
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.preview_page import FRAMING
from app.admin.drafts import sealed_draft
from app.admin.listing import PageRequest
from app.admin.programme_preview import preview_programme
from app.admin.rules import Role
from app.admin.version_pages import list_programme_versions
from app.admin.views.audit import Names
from app.admin.views.names import key_names, staff_names
from app.admin.views.term_fields import FIELDS, Kind
from app.admin.views.term_form import BadTerms, TermsForm, Texts
from app.admin.views.term_words import SWITCH_WORDS, TermWords
from app.admin.views.terms import shown_examples, shown_groups, shown_past
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.i18n import SOURCE, language_tag, translate
from app.brands.add import patch_programme
from app.brands.find import ProgrammeInForce, load_programme, load_programme_versions, saved_at
from app.brands.patch_rules import patch_between
from app.brands.programme import Programme

TERMS = "/admin/programme/terms"
_AT_ONCE = 20
router = screen_router(TERMS)


def may_change(frame: Frame) -> bool:
    """Whether who is signed in may change what holds for every shop."""
    return frame.may(Role.marketer) and frame.staff.shops is None


def refuse_limited(frame: Frame) -> None:
    """Raise AppError (403) for who is limited to some shops: terms hold for all of them."""
    if frame.staff.shops is not None:
        raise AppError(
            "missing_shops",
            translate(SOURCE, "This holds for every shop, and your access is limited to some."),
            status=403,
        )


@router.get("")
async def show_terms(frame: ForViewer) -> Response:
    """The terms in force, or with `from` those of an earlier version, not saved yet."""
    present = await load_programme(frame.session, frame.brand.id)
    shown = present.programme
    earlier = frame.request.query_params.get("from", "")
    if earlier.isdigit() and len(earlier) < 9:
        found = await load_programme_versions(frame.session, frame.brand.id, [int(earlier)])
        shown = found.get(int(earlier), shown)
    form = _form(frame, present.programme, shown)
    return await _terms_page(frame, present, form.texts(shown), {})


@router.post("")
async def save_terms(writer: MarketerWriter) -> Response:
    """Save the terms as the next version, or with `act` `preview` show what they would change."""
    frame, sent = writer
    refuse_limited(frame)
    present = await load_programme(frame.session, frame.brand.id)
    form, entered = _form(frame, present.programme), _entered(sent)
    if sent.text("act") == "preview":
        return await _terms_page(frame, present, entered, {})
    try:
        after = form.programme(entered, present.programme)
        saved = await patch_programme(
            frame.session,
            frame.brand.id,
            patch_between(present.programme.as_json(), after.as_json()),
            actor=frame.staff.actor,
            if_version=version_of(sent),
        )
    except BadTerms as bad:
        return await _terms_page(frame, present, entered, dict(bad.errors))
    except AppError as error:
        errors = _term_errors(form, after, error) or {"terms": _changed_meanwhile(present.version)}
        return await _terms_page(frame, present, entered, errors)
    if saved.version == present.version:
        return frame.redirect(TERMS, translate(SOURCE, "Nothing was changed."))
    return frame.redirect(TERMS, translate(SOURCE, "Saved as version %(number)s.", number=saved.version))


_OF_A_TERM = ("bad_amount", "bad_time")
"""Errors whose detail begins with the term."""


def _term_errors(form: TermsForm, after: Programme, error: AppError) -> dict[str, str]:
    """What is wrong with an amount or a date, by the name of its input; empty for another error."""
    place, _, detail = error.detail.partition(": ")
    return {form.input_at(place, after.as_json()): detail} if error.code in _OF_A_TERM else {}


def _changed_meanwhile(version: int) -> str:
    return translate(
        SOURCE,
        "Somebody saved version %(number)s meanwhile. Your values are kept below, beside that version; save again to put them in force.",
        number=version,
    )


def version_of(sent: Form) -> frozenset[int]:
    """The version that the form was filled in on; none matches a form without one."""
    text = sent.text("version", limit=9)
    return frozenset({int(text)} if text.isdigit() else ())


def _entered(sent: Form) -> Texts:
    found: Texts = {name: sent.text(name) for name in sent.names()}
    for field in FIELDS:
        if field.kind is Kind.ticks:
            found[field.path] = " ".join(sent.texts(field.path))
    return found


def _form(frame: Frame, *programmes: Programme) -> TermsForm:
    """With the currencies of the shops, and those that the terms name besides."""
    currencies = {shop.currency for shop in frame.shops}
    for programme in programmes:
        for _, value in programme.amounts():
            currencies |= value.keys() if isinstance(value, dict) else set()
    return TermsForm(sorted(currencies), frame.zone)


async def _terms_page(
    frame: Frame, present: ProgrammeInForce, entered: Texts, errors: dict[str, str]
) -> Response:
    form = _form(frame, present.programme)
    words = TermWords(form.currencies, frame.zone)
    after = present.programme
    try:
        after = form.programme(entered, present.programme)
        preview = await preview_programme(frame.session, frame.brand, present, after, now=clock.now())
    except (BadTerms, AppError) as error:
        faults = error.errors if isinstance(error, BadTerms) else _term_errors(form, after, error)
        errors, after = {**faults, **errors}, present.programme
        preview = await preview_programme(frame.session, frame.brand, present, after, now=clock.now())
    changes = words.changes(present.programme, after)
    sees_figures = frame.staff.shops is None
    groups = shown_groups(form, words, present.programme, entered, errors)
    named = {
        field.at: f"{field.name}: {field.error}" for group in groups for field in group.fields if field.error
    }
    values = {
        "version": present.version,
        "since": await _since(frame, present.version),
        "closed": _why_closed(frame, present.programme),
        "groups": groups,
        "errors": {**{place: text for place, text in errors.items() if place == "terms"}, **named},
        "changes": changes,
        "examples": shown_examples(preview, after),
        "past": shown_past(preview) if sees_figures else [],
        "words": preview.words,
        "pages": _shown_pages(frame, present.programme, after) if preview.words else [],
        "language": language_tag(frame.brand.language_for()),
        "switches": [(name, getattr(after, name), word) for name, word in SWITCH_WORDS.items()],
        "may_change": may_change(frame),
    }
    status = 422 if errors else 200
    return frame.page("admin/terms.html", "terms", values, status=status, headers=FRAMING)


def _shown_pages(frame: Frame, present: Programme, after: Programme) -> list[tuple[str, str]]:
    """What customers would see under these terms: names and addresses of frames."""
    draft = {}
    if after != present:
        draft["terms"] = sealed_draft(
            frame.context.tokens, frame.brand.id, drafts.TERMS, after.as_json(), now=clock.now()
        )
    return [
        (translate(SOURCE, "The friend’s page"), frame.url("/admin/programme/look/frame/friend", **draft)),
        (translate(SOURCE, "The offer’s mail"), frame.url("/admin/programme/look/frame/mail", **draft)),
    ]


def _why_closed(frame: Frame, programme: Programme) -> str:
    """Why nothing runs now, by the programme's dates; empty where it does."""
    now = clock.now()
    if programme.starts_at is not None and now < programme.starts_at:
        return translate(
            SOURCE,
            "The programme starts on %(at)s: until then nobody is asked, and no code is given or counts.",
            at=frame.moment(programme.starts_at),
        )
    if programme.ends_at is not None and programme.ends_at <= now:
        return translate(
            SOURCE,
            "The programme ended on %(at)s: nobody is asked, and no code is given or counts.",
            at=frame.moment(programme.ends_at),
        )
    return ""


async def _since(frame: Frame, version: int) -> str:
    return frame.day(await saved_at(frame.session, frame.brand.id, version))


@router.get("/versions")
async def show_versions(frame: ForViewer) -> Response:
    """Every version with what it changed, who did and when; newest first."""
    wanted = PageRequest(frame.context.tokens, _AT_ONCE, frame.request.query_params.get("cursor"))
    found = await list_programme_versions(frame.session, wanted, frame.brand.id)
    oldest = found.data[-1].version if found.data else 0
    before = await load_programme_versions(frame.session, frame.brand.id, [oldest - 1])
    programmes = {each.version: each.programme for each in found.data} | before
    names = Names(
        await staff_names(frame.session, frame.brand.id), await key_names(frame.session, frame.brand.id), {}
    )
    form = _form(frame, *programmes.values())
    words = TermWords(form.currencies, frame.zone)
    newest = (await load_programme(frame.session, frame.brand.id)).version
    values = {
        "versions": [
            {
                "number": each.version,
                "at": each.created_at,
                "who": names.actor(each.author),
                "is_in_force": each.version == newest,
                "changes": words.changes(programmes[each.version - 1], each.programme)
                if each.version - 1 in programmes
                else [],
            }
            for each in found.data
        ],
        "older": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
        "may_change": may_change(frame),
    }
    return frame.page("admin/terms_versions.html", "terms", values)


@router.get("/switches/{name}")
async def ask_switch(name: str, frame: ForMarketer) -> Response:
    """The question before a switch is changed: what stops, what stays."""
    refuse_limited(frame)
    if name not in SWITCH_WORDS:
        raise NotFound
    present = await load_programme(frame.session, frame.brand.id)
    values = {
        "name": name,
        "is_on": getattr(present.programme, name),
        "words": SWITCH_WORDS[name],
        "version": present.version,
    }
    return frame.page("admin/terms_switch.html", "terms", values)


@router.post("/switches/{name}")
async def turn_switch(name: str, writer: MarketerWriter) -> Response:
    """Switch surveys, offers or redemptions on or off."""
    frame, sent = writer
    refuse_limited(frame)
    if name not in SWITCH_WORDS:
        raise NotFound
    turned_on = sent.text("to") == "on"
    try:
        await patch_programme(
            frame.session,
            frame.brand.id,
            {name: turned_on},
            actor=frame.staff.actor,
            if_version=version_of(sent),
        )
    except AppError as error:
        return frame.redirect(f"{TERMS}/switches/{name}", error.detail, Tone.failed)
    word = translate(SOURCE, SWITCH_WORDS[name].name)
    done = (
        translate(SOURCE, "%(name)s are on.", name=word)
        if turned_on
        else translate(SOURCE, "%(name)s are off.", name=word)
    )
    return frame.redirect(TERMS, done)
