"""A brand's logo, its dark version, and its picture: uploaded, made anew and served by us."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Writer
from app.admin.idempotency import IdempotentWrite, IdempotentWriteDep, WriteResult
from app.admin.image_uploads import decode_images
from app.base.actor import Actor
from app.base.web.openapi import problems
from app.brands.images import remove_image, set_images
from app.brands.rules import ImageKind
from app.brands.schemas import BrandShape

router = APIRouter(tags=["brand"], route_class=ApiRoute)
_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")
        },
    }
}
_PROBLEMS = problems(413, 422)


@router.put("/brand/logo", response_model=BrandShape, responses=_PROBLEMS, openapi_extra=_UPLOAD)
async def put_logo(request: Request, caller: Writer, write: IdempotentWriteDep) -> JSONResponse:
    """Show this PNG or JPEG as the logo on pages, in mails and in previews of links."""
    return await _put(request, caller, write, ImageKind.logo)


@router.put("/brand/logo/dark", response_model=BrandShape, responses=_PROBLEMS, openapi_extra=_UPLOAD)
async def put_dark_logo(request: Request, caller: Writer, write: IdempotentWriteDep) -> JSONResponse:
    """Show this logo on dark backgrounds; without it the other one is on a white plate."""
    return await _put(request, caller, write, ImageKind.logo_dark)


@router.put("/brand/picture", response_model=BrandShape, responses=_PROBLEMS, openapi_extra=_UPLOAD)
async def put_picture(request: Request, caller: Writer, write: IdempotentWriteDep) -> JSONResponse:
    """Show this picture beside the letter; without it a parcel in the brand's colour is drawn."""
    return await _put(request, caller, write, ImageKind.picture)


@router.delete("/brand/logo", response_model=BrandShape)
async def delete_logo(caller: Writer, write: IdempotentWriteDep) -> JSONResponse:
    """Show the brand's name in place of the logo, in mails that were sent too."""
    return await _delete(caller, write, ImageKind.logo)


@router.delete("/brand/logo/dark", response_model=BrandShape)
async def delete_dark_logo(caller: Writer, write: IdempotentWriteDep) -> JSONResponse:
    """Show the logo on a white plate where the background is dark."""
    return await _delete(caller, write, ImageKind.logo_dark)


@router.delete("/brand/picture", response_model=BrandShape)
async def delete_picture(caller: Writer, write: IdempotentWriteDep) -> JSONResponse:
    """Show the drawn parcel in place of the picture."""
    return await _delete(caller, write, ImageKind.picture)


async def _put(request: Request, caller: Actor, write: IdempotentWrite, kind: ImageKind) -> JSONResponse:
    files = await decode_images(await request.body(), kind)

    async def act() -> WriteResult:
        brand = await set_images(write.session, caller.brand_id, files, actor=caller)
        return WriteResult(BrandShape.of(brand), only_set=True)

    return await write.run(caller, act)


async def _delete(caller: Actor, write: IdempotentWrite, kind: ImageKind) -> JSONResponse:
    async def act() -> WriteResult:
        brand = await remove_image(write.session, caller.brand_id, kind, actor=caller)
        return WriteResult(BrandShape.of(brand), only_set=True)

    return await write.run(caller, act)
