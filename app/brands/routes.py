"""A brand's images, by addresses that name their content."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.base.errors import NotFound
from app.base.web.context import ReadingDep
from app.base.web.openapi import problems
from app.brands.images import find_image

router = APIRouter(tags=["customers"])
_MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_LARGEST_ID = 2**31 - 1
BrandPath = Annotated[int, Path(ge=1, le=_LARGEST_ID)]
FilePath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}\.(png|jpg)$")]


@router.get(
    "/media/{brand}/{file}",
    response_class=Response,
    responses=problems(404, 422) | {200: {"content": dict.fromkeys(_MEDIA_TYPES.values(), _BINARY)}},
)
async def show_image(brand: BrandPath, file: FilePath, reading: ReadingDep) -> Response:
    """An image of a brand, which never changes under its address."""
    body = await find_image(reading, brand, file)
    if body is None:
        raise NotFound
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(body, headers=headers, media_type=_MEDIA_TYPES[file.rpartition(".")[2]])
