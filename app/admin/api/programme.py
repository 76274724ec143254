"""The programme: the terms in force, and every change of them."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue, ValidationError
from starlette.responses import JSONResponse

from app.admin import version_pages
from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.listing import PageDep
from app.base.errors import AppError
from app.base.schemas import Page
from app.base.web.context import SessionDep
from app.base.web.openapi import problems, request_body, response_header
from app.brands.add import change_programme, patch_programme
from app.brands.find import ProgrammeInForce, load_programme
from app.brands.patch_rules import patch_model
from app.brands.programme import Programme
from app.brands.schemas import ProgrammeVersionShape

router = APIRouter(prefix="/programme", tags=["brand"], route_class=ApiRoute)

_ETAG = response_header("ETag", "The version.")
_ENTITY_TAG = re.compile(r'"(\d{1,9})"')


async def _if_version(
    if_match: Annotated[
        str | None,
        Header(
            max_length=500, description="The `ETag` that the change is based on, to lose no other change."
        ),
    ] = None,
) -> frozenset[int] | None:
    """The versions of `If-Match`; None where any will do. A tag that is not ours matches none."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = [tag.strip() for tag in if_match.split(",")]
    return frozenset(int(found[1]) for tag in tags if (found := _ENTITY_TAG.fullmatch(tag)))


IfVersion = Annotated[frozenset[int] | None, Depends(_if_version)]


@router.get("", response_model=Programme, responses=_ETAG)
async def show_programme(caller: Reader, session: SessionDep) -> JSONResponse:
    """The programme in force, in the form that `PUT` takes; `ETag` is its version."""
    terms = await load_programme(session, caller.brand_id)
    return JSONResponse(terms.programme.as_json(), headers=_etag(terms))


@router.put("", response_model=Programme, responses=_ETAG | problems(412, 413))
async def put_programme(
    programme: Programme, caller: Writer, if_version: IfVersion, write: IdempotentWriteDep
) -> JSONResponse:
    """Put a programme in force, as a new version where it differs from the present one.

    A field left out gets its default; the switches and dates that are left out stay as they are.
    """

    async def act() -> WriteResult:
        try:
            terms = await change_programme(
                write.session,
                caller.brand_id,
                programme,
                actor=caller,
                keep_switches=True,
                if_version=if_version,
            )
        except ValidationError as error:
            raise invalid_programme(error) from None
        return WriteResult(terms.programme, headers=_etag(terms))

    return await write.run(caller, act)


@router.patch(
    "",
    response_model=Programme,
    name="patch_programme",
    responses=_ETAG | problems(412, 413, 422),
    openapi_extra=request_body(patch_model(Programme)),
)
async def change_some_terms(
    request: Request, caller: Writer, if_version: IfVersion, write: IdempotentWriteDep
) -> JSONResponse:
    """Change some of the terms by a JSON merge patch (RFC 7396); what is left out stays.

    Null brings back a default, except where null is a value of the field: there it sets null.
    """

    async def act() -> WriteResult:
        try:
            terms = await patch_programme(
                write.session,
                caller.brand_id,
                await _patch_of(request),
                actor=caller,
                if_version=if_version,
            )
        except ValidationError as error:
            raise invalid_programme(error) from None
        return WriteResult(terms.programme, headers=_etag(terms))

    return await write.run(caller, act)


@router.get("/versions")
async def list_programme_versions(
    caller: Reader, page: PageDep, session: SessionDep
) -> Page[ProgrammeVersionShape]:
    """Every version of the programme, newest first: the first one is in force."""
    return await version_pages.list_programme_versions(session, page, caller.brand_id)


def _etag(terms: ProgrammeInForce) -> dict[str, str]:
    return {"ETag": f'"{terms.version}"'}


async def _patch_of(request: Request) -> dict[str, JsonValue]:
    try:
        patch = await request.json()
    except (ValueError, RecursionError):
        patch = None
    if not isinstance(patch, dict):
        raise AppError("invalid", "A merge patch is a JSON object with the fields to change.")
    return patch


def invalid_programme(error: ValidationError) -> RequestValidationError:
    """The 422 that FastAPI returns for a faulty body."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in errors])
