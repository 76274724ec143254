"""Images as they were uploaded, made into files that pages and mails show. Pure, and slow.

Each is decoded and drawn anew, so that nothing of the upload is served: no metadata, no place where
a photo was taken, nothing behind the pixels. The size is read before anything is decoded.
"""

import hashlib
import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

from app.base.errors import AppError
from app.brands.rules import ImageKind

LOGO_LIMIT = 200 * 1024
"""Bytes of an uploaded logo."""
_MOST_PIXELS = 12_000_000
"""What a phone's camera makes; decoded it takes 48 MB."""
_LONGEST_SIDE = 6_000
_SHORTEST_SIDE = 16
_LOGO = (480, 96)
"""Twice what pages show, for dense screens."""
_PNG_BYTES = 4 * 1024
_PICTURE = (960, 960)
_PICTURE_BYTES = 60 * 1024
_CARD = (600, 315)
"""The shape that link previews want, 1.91 to 1."""
_CARD_LOGO = (400, 150)
_BROKEN = (OSError, SyntaxError, ValueError, OverflowError, EOFError, struct.error, zlib.error)
"""What Pillow raises for files that are damaged or lie."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file that can be served."""

    name: str
    """Unique to the content, with its ending."""
    body: bytes
    width: int
    height: int


def make_images(body: bytes, kind: ImageKind) -> Mapping[ImageKind, ImageFile]:
    """The files of an upload: a logo makes the preview of links too.

    Raises `AppError`: `too_large` (413) for a logo over `LOGO_LIMIT` bytes, `bad_image` for what is
    no PNG or JPEG, is damaged, or has too many or too few pixels.
    """
    if kind is not ImageKind.picture and len(body) > LOGO_LIMIT:
        raise AppError("too_large", f"A logo has at most {LOGO_LIMIT // 1024} KB.", status=413)
    image = _decode(body)
    if kind is ImageKind.picture:
        return {kind: _picture(image)}
    logo = image.copy()
    logo.thumbnail(_LOGO, Image.Resampling.LANCZOS)
    files: dict[ImageKind, ImageFile] = {kind: _png(logo)}
    if kind is ImageKind.logo:
        files[ImageKind.card] = _png(_card(image))
    return files


def _decode(body: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # Its own limit is higher than ours, which is checked below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(body), formats=("PNG", "JPEG"))
        _check_size(*image.size)
        turned = ImageOps.exif_transpose(image)
        if turned.mode.startswith("I"):
            # 16 bits a pixel, which are not scaled by a conversion.
            turned = turned.convert("I").point(lambda value: value / 256).convert("L")
        return turned.convert("RGBA")
    except (*_BROKEN, Image.DecompressionBombError) as error:
        raise AppError("bad_image", "This is no PNG or JPEG, or it is damaged.") from error


def _check_size(width: int, height: int) -> None:
    if min(width, height) < _SHORTEST_SIDE:
        raise AppError("bad_image", f"An image is at least {_SHORTEST_SIDE} pixels wide and high.")
    if max(width, height) > _LONGEST_SIDE or width * height > _MOST_PIXELS:
        raise AppError(
            "bad_image",
            f"An image has at most {_MOST_PIXELS // 1_000_000} megapixels, and {_LONGEST_SIDE} pixels a side.",
        )


def _picture(image: Image.Image) -> ImageFile:
    """A JPEG whose quality is lowered until it is light, within reason."""
    image.thumbnail(_PICTURE, Image.Resampling.LANCZOS)
    opaque = _on_white(image)
    body = b""
    for quality in (82, 74, 66, 58, 50):
        out = BytesIO()
        opaque.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
        body = out.getvalue()
        if len(body) <= _PICTURE_BYTES:
            break
    return _file(body, "jpg", opaque.size)


def _card(image: Image.Image) -> Image.Image:
    """The logo in the middle of a white card."""
    scale = min(_CARD_LOGO[0] / image.width, _CARD_LOGO[1] / image.height, 3)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    card = Image.new("RGBA", _CARD, "white")
    place = ((_CARD[0] - size[0]) // 2, (_CARD[1] - size[1]) // 2)
    card.alpha_composite(image.resize(size, Image.Resampling.LANCZOS), place)
    return card


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")


def _png(image: Image.Image) -> ImageFile:
    """A PNG with its alpha; of 256 colours where all of them would be heavy."""
    body = _as_png(image)
    if len(body) > _PNG_BYTES:
        few = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        body = min(body, _as_png(few), key=len)
    return _file(body, "png", image.size)


def _as_png(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _file(body: bytes, ending: str, size: tuple[int, int]) -> ImageFile:
    return ImageFile(f"{hashlib.sha256(body).hexdigest()[:32]}.{ending}", body, *size)
