"""The outcome for an uploaded image."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.base.errors import AppError
from app.brands.image_files import LOGO_LIMIT, make_images
from app.brands.rules import ImageKind


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(body: bytes) -> Image.Image:
    return Image.open(BytesIO(body))


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims a size, with a little of its pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def test_a_logo_is_drawn_anew_small_and_keeps_nothing_but_its_pixels():
    info = PngInfo()
    info.add_text("Author", "Ana Example")
    image = Image.new("RGBA", (2000, 400), (10, 31, 68, 0))
    image.paste((10, 31, 68, 255), (0, 0, 1000, 400))
    files = make_images(saved(image, "PNG", pnginfo=info), ImageKind.logo)
    logo, card = opened(files[ImageKind.logo].body), opened(files[ImageKind.card].body)
    assert logo.format == "PNG"
    assert (logo.size, logo.info.get("Author")) == ((480, 96), None)
    assert b"Ana" not in files[ImageKind.logo].body
    assert logo.convert("RGBA").getpixel((10, 50)) == (10, 31, 68, 255)
    assert logo.convert("RGBA").getpixel((400, 50))[3] == 0
    assert card.size == (600, 315)
    assert card.convert("RGB").getpixel((5, 5)) == (255, 255, 255)
    assert card.convert("RGB").getpixel((150, 157)) == (10, 31, 68)
    assert max(len(file.body) for file in files.values()) < 4_000
    assert ImageKind.card not in make_images(saved(image, "PNG"), ImageKind.logo_dark)


def test_a_photo_is_turned_as_its_camera_says_and_tells_no_place():
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "at home"
    image = Image.effect_noise((1600, 1000), 60).convert("RGB")
    made = make_images(saved(image, "JPEG", exif=exif), ImageKind.picture)[ImageKind.picture]
    picture = opened(made.body)
    assert picture.format == "JPEG"
    assert picture.size == (made.width, made.height) == (600, 960)
    assert not picture.getexif()
    assert b"at home" not in made.body


def test_the_same_content_has_the_same_name_and_another_has_another():
    red, blue = (saved(Image.new("RGB", (64, 64), each), "PNG") for each in ("red", "blue"))
    names = [make_images(each, ImageKind.logo)[ImageKind.logo].name for each in (red, red, blue)]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_can_be_read(mode):
    assert make_images(saved(Image.new(mode, (40, 20)), "PNG"), ImageKind.logo)


def test_a_print_shops_jpeg_can_be_read():
    assert make_images(saved(Image.new("CMYK", (40, 20)), "JPEG"), ImageKind.logo)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        b"\x89PNG\r\n\x1a\n",
        saved(Image.new("RGB", (64, 64)), "GIF"),
        saved(Image.new("RGB", (64, 64)), "BMP"),
        saved(Image.effect_noise((64, 64), 60), "PNG")[:900],
        saved(Image.effect_noise((64, 64), 60), "JPEG")[:900],
        png_of(60_000, 60_000),
        png_of(5_000, 5_000),
        png_of(6_001, 20),
        png_of(15, 400),
        png_of(3_000, 3_000),
    ],
    ids=[
        "nothing",
        "svg",
        "header",
        "gif",
        "bmp",
        "cut-png",
        "cut-jpeg",
        "bomb",
        "large",
        "wide",
        "thin",
        "short",
    ],
)
def test_what_is_no_image_or_a_bomb_is_refused(body):
    with pytest.raises(AppError) as refused:
        make_images(body, ImageKind.picture)
    assert refused.value.code == "bad_image"


def test_a_heavy_logo_is_refused():
    with pytest.raises(AppError) as refused:
        make_images(bytes(LOGO_LIMIT + 1), ImageKind.logo)
    assert (refused.value.code, refused.value.status) == ("too_large", 413)
