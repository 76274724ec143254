"""The survey's pages: the question, and the thank-you page."""

from collections.abc import AsyncGenerator
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Path, Query, Request
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.base import clock
from app.base.context import AppContext
from app.base.i18n import day_in_text
from app.base.reading import Reading
from app.base.text import isolated
from app.base.tokens import Subject
from app.base.web.context import ContextDep, ReadingDep, SessionDep
from app.base.web.local import is_local
from app.base.web.lookup_limit import address_of, get_lookup_limit, rate_limited_page
from app.base.web.middleware import read_body
from app.base.web.openapi import error_pages, problems
from app.base.web.page_route import make_page_router
from app.base.web.pages import not_found_page, page
from app.base.web.problems import refuse_unstorable
from app.brands.appearance import page_values
from app.brands.rules import zone_or
from app.customers.names import shown_name
from app.referrals.share import find_share
from app.surveys.find import PURPOSE, OpenSurvey, open_survey
from app.surveys.form import MAX_COMMENT, SurveyForm, read_form, read_score
from app.surveys.gather import item_title
from app.surveys.respond import NewResponse, ResponseOutcome, record_response
from app.surveys.rules import Band, band_of
from app.surveys.suspicion_rules import Signs, is_public, seconds_on_page

router = make_page_router()
TokenPath = Annotated[str, Path(description="The token of a survey's link, as it stands in the message.")]

_FORM_LIMIT = 64 * 1024
"""A comment of 5,000 characters is 45 KiB at worst, URL-encoded emoji and all."""
_DROPPED = 1024 * 1024


@router.get("/s/{token}", response_class=HTMLResponse, responses=error_pages(404, 429))
async def show_survey(
    request: Request,
    token: TokenPath,
    context: ContextDep,
    reading: ReadingDep,
    score: Annotated[
        str | None, Query(description="0-10, chosen beforehand; anything else is ignored.")
    ] = None,
) -> Response:
    """The survey's page; changes nothing. Unknown links get the one 404 page."""
    opened = await _open(request, context, reading, token)
    if isinstance(opened, Response):
        return opened
    return _survey_page(context, opened, token, chosen=read_score(score))


@router.head("/s/{token}", include_in_schema=False)
async def probe_survey(
    request: Request, token: TokenPath, context: ContextDep, reading: ReadingDep
) -> Response:
    """As GET, without the page; mail scanners send HEAD."""
    return await show_survey(request, token, context, reading)


@router.post(
    "/s/{token}",
    response_class=HTMLResponse,
    status_code=303,
    responses=error_pages(404, 422, 429) | problems(413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "required": ["score"],
                        "properties": {
                            "score": {"type": "integer", "minimum": 0, "maximum": 10},
                            "comment": {"type": "string", "maxLength": MAX_COMMENT},
                            "testimonial_consent": {"type": "string", "enum": ["yes", ""]},
                            "opened": {
                                "type": "string",
                                "description": "When the page was opened, in seconds since 1970.",
                            },
                        },
                    }
                }
            },
        }
    },
)
async def answer_survey(
    request: Request, token: TokenPath, context: ContextDep, session: SessionDep
) -> Response:
    """Record the response and redirect to the thank-you page.

    A response that can no longer be changed stays as it is, and the page says so.
    """
    body = await read_body(request, limit=_FORM_LIMIT, drop_up_to=_DROPPED)
    subject = _subject(request, context, token)
    if isinstance(subject, Response):
        return subject
    fields = await _fields(request, body)
    refuse_unstorable(*fields.values())
    form = read_form(fields)
    outcome = None
    if form.score is not None:
        answer = NewResponse(form.score, form.comment, form.testimonial_consent)
        signs = _signs(request, context, subject, form)
        outcome = await record_response(
            session, context.tokens, subject, answer, signs=signs, now=clock.now()
        )
    if outcome in (ResponseOutcome.recorded, ResponseOutcome.changed):
        return RedirectResponse(f"/s/{token}/thanks", 303, {"Cache-Control": "no-store"})
    # Nothing was written: a score is missing, the response stands, or the survey takes none.
    opened = None if outcome is ResponseOutcome.closed else await open_survey(session, subject)
    if opened is None:
        return not_found_page(request)
    if outcome is None:
        return _survey_page(context, opened, token, chosen=None, sent=form, status=422)
    return _survey_page(context, opened, token, chosen=None)


@router.get("/s/{token}/thanks", response_class=HTMLResponse, responses=error_pages(404, 429))
async def show_thanks(
    request: Request, token: TokenPath, context: ContextDep, reading: ReadingDep
) -> Response:
    """Thanks to everybody; a promoter finds what to hand on to friends."""
    opened = await _open(request, context, reading, token)
    if isinstance(opened, Response):
        return opened
    if opened.response is None:
        return RedirectResponse(f"/s/{token}", 303, {"Cache-Control": "no-store"})
    now = clock.now()
    band = band_of(opened.response.score)
    share = None
    if band is Band.promoter:
        public_url, customer_id = context.settings.public_url, opened.customer.id
        share = await find_share(reading, public_url, opened.brand, customer_id, now=now)
    values = _frame(context, opened) | {
        "token": token,
        "band": band,
        "score": opened.response.score,
        "minutes_left": opened.minutes_left(now=now),
        "share": share,
        "referrer_url": f"/p/{context.tokens.link('referrer', opened.brand.id, share.referrer_id)}"
        if share
        else None,
    }
    return page("thanks.html", values | (share.values() if share else {}), language=_language(opened))


@router.head("/s/{token}/thanks", include_in_schema=False)
async def probe_thanks(
    request: Request, token: TokenPath, context: ContextDep, reading: ReadingDep
) -> Response:
    """As GET, without the page."""
    return await show_thanks(request, token, context, reading)


async def _open(request: Request, context: AppContext, reading: Reading, token: str) -> OpenSurvey | Response:
    """The survey, or the response for a link without one."""
    subject = _subject(request, context, token)
    if isinstance(subject, Response):
        return subject
    return await open_survey(reading, subject) or not_found_page(request)


def _subject(request: Request, context: AppContext, token: str) -> Subject | Response:
    """What a link is about, or the response to a caller who guesses; a link of ours is no guess."""
    lookup_limit = get_lookup_limit(request)
    if lookup_limit.is_limited(request):
        return rate_limited_page(request)
    subject = context.tokens.read_link(PURPOSE, token)
    if subject is None:
        lookup_limit.record_failure(request)
        return not_found_page(request)
    return subject


def _signs(request: Request, context: AppContext, subject: Subject, form: SurveyForm) -> Signs | None:
    """How the page was sent; None for who tries this program on its own machine.

    What somebody can have read is compared with nothing.
    """
    if is_local(request):
        return None
    signs = Signs(seconds_on_page(form.opened, clock.now().timestamp()))
    if not signs.is_fast or request.client is None or not is_public(request.client.host):
        return signs
    network = context.tokens.network_key(subject.brand_id, address_of(request))
    return Signs(signs.on_page, network)


async def _fields(request: Request, body: bytes) -> dict[str, str]:
    """The form's text fields, urlencoded or multipart; none for a body that is neither."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):

        async def once() -> AsyncGenerator[bytes, None]:
            yield body

        try:
            form = await MultiPartParser(
                Headers(scope=request.scope), once(), max_files=4, max_fields=50
            ).parse()
        except MultiPartException:
            return {}
        return {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return dict(pairs)


def _survey_page(
    context: AppContext,
    opened: OpenSurvey,
    token: str,
    *,
    chosen: int | None,
    sent: SurveyForm | None = None,
    status: int = 200,
) -> HTMLResponse:
    """The question, with the response so far; `sent` is a submitted form without a usable score."""
    response, order = opened.response, opened.order
    minutes_left = opened.minutes_left(now=clock.now()) if response else None
    shown = sent or response
    language = _language(opened)
    zone = zone_or(opened.customer.time_zone, opened.brand.time_zone)
    placed_on = order.placed_at.astimezone(zone).date() if order else None
    values = _frame(context, opened) | {
        "token": token,
        "score": response.score if chosen is None and response else chosen,
        "comment": (shown.comment if shown else None) or "",
        "testimonial_consent": bool(shown and shown.testimonial_consent),
        "max_comment": MAX_COMMENT,
        "opened": sent.opened if sent else int(clock.now().timestamp()),
        "is_missing_score": sent is not None,
        "answered": response.score if response else None,
        "minutes_left": minutes_left,
        "item_title": item_title(order) if order else None,
        "order_number": order.number if order else None,
        "ordered_on": day_in_text(placed_on, language, opened.customer.locale, opened.brand.locale)
        if placed_on
        else None,
    }
    return page("survey.html", values, language=language, status=status, inline="letter")


def _language(opened: OpenSurvey) -> str:
    return opened.brand.language_for(opened.customer.locale)


def _frame(context: AppContext, opened: OpenSurvey) -> dict[str, object]:
    """The values of brand and customer that every survey page shows."""
    brand, customer = opened.brand, opened.customer
    return page_values(brand, _language(opened)) | {
        "first_name": isolated(shown_name(customer.first_name) or ""),
        "unsubscribe_url": f"/u/{context.tokens.link('unsubscribe', brand.id, customer.id)}",
    }
