"""Draws the images of the demo's brand: `python -m app.demo.look.draw` writes them beside it."""

from pathlib import Path

from PIL import Image, ImageDraw

HERE = Path(__file__).parent
_FINE = 4
"""Drawn so many times larger, so that edges are smooth."""
_PINE, _PALE, _WATER = "#1f5c4d", "#e9f2ec", "#7fb3a8"
_SKY, _SUN, _HILL, _FAR = "#fbeedd", "#f2b873", "#9dbfae", "#c4d6c6"
_SEA, _GLINT, _WOOD, _SEAM = "#4f8f8b", "#8bb8ae", "#b98a5e", "#9a6f47"
_ENAMEL, _RIM, _SHADE = "#f7f4ec", "#1c3d5a", "#ddd8ca"
_Point = tuple[float, float]


def _pine(draw: ImageDraw.ImageDraw, foot: _Point, height: float, colour: str) -> None:
    """A pine of three tiers, its trunk at the foot."""
    x, y = foot
    trunk = height * 0.05
    draw.rectangle((x - trunk, y - height * 0.2, x + trunk, y), fill=colour)
    for top, bottom, half in ((1.0, 0.62, 0.16), (0.78, 0.38, 0.23), (0.55, 0.14, 0.3)):
        draw.polygon(
            [
                (x, y - height * top),
                (x - height * half, y - height * bottom),
                (x + height * half, y - height * bottom),
            ],
            fill=colour,
        )


def _wave(draw: ImageDraw.ImageDraw, left: float, y: float, step: float, width: int, colour: str) -> None:
    """Three arcs beside each other."""
    for place in range(3):
        start = left + place * step
        draw.arc((start, y, start + step, y + step), 20, 160, fill=colour, width=width)


def draw_logo(ink: str, water: str) -> Image.Image:
    """The mark on nothing: a pine above the water, 192 pixels a side."""
    side = 192 * _FINE
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    _pine(draw, (side / 2, side * 0.76), side * 0.74, ink)
    _wave(draw, side * 0.08, side * 0.58, side * 0.28, round(side * 0.05), water)
    _wave(draw, side * 0.08, side * 0.7, side * 0.28, round(side * 0.05), ink)
    return image.resize((192, 192), Image.Resampling.LANCZOS)


def draw_picture() -> Image.Image:
    """A coffee pot and a mug on a pier, 960 pixels a side."""
    side = 960 * 2
    image = Image.new("RGB", (side, side), _SKY)
    draw = ImageDraw.Draw(image)

    def at(*points: float) -> list[float]:
        return [point * side for point in points]

    draw.ellipse(at(0.6, 0.14, 0.8, 0.34), fill=_SUN)
    draw.polygon(at(0, 0.44, 0.22, 0.3, 0.45, 0.42, 0.7, 0.33, 1, 0.43, 1, 0.52, 0, 0.52), fill=_FAR)
    draw.polygon(at(0, 0.48, 0.3, 0.4, 0.62, 0.49, 0.86, 0.43, 1, 0.47, 1, 0.52, 0, 0.52), fill=_HILL)
    draw.rectangle(at(0, 0.5, 1, 0.72), fill=_SEA)
    for left, right, y in ((0.58, 0.86, 0.53), (0.62, 0.79, 0.56), (0.1, 0.24, 0.6), (0.66, 0.74, 0.59)):
        draw.rounded_rectangle(at(left, y, right, y + 0.008), radius=side * 0.004, fill=_GLINT)
    for x, height in ((0.08, 0.5), (0.2, 0.38), (0.94, 0.44)):
        _pine(draw, (x * side, 0.72 * side), height * side, _PINE)
    draw.rectangle(at(0, 0.7, 1, 1), fill=_WOOD)
    for y in (0.7, 0.78, 0.88):
        draw.rectangle(at(0, y, 1, y + 0.007), fill=_SEAM)
    _pot(draw, side)
    _mug(draw, side)
    return image.resize((960, 960), Image.Resampling.LANCZOS)


def _pot(draw: ImageDraw.ImageDraw, side: float) -> None:
    def at(*points: float) -> list[float]:
        return [point * side for point in points]

    draw.arc(at(0.48, 0.5, 0.67, 0.72), -85, 80, fill=_RIM, width=round(side * 0.018))
    draw.polygon(at(0.37, 0.62, 0.27, 0.5, 0.31, 0.49, 0.4, 0.57), fill=_ENAMEL)
    draw.polygon(at(0.4, 0.46, 0.56, 0.46, 0.62, 0.82, 0.34, 0.82), fill=_ENAMEL)
    draw.polygon(at(0.52, 0.46, 0.56, 0.46, 0.62, 0.82, 0.55, 0.82), fill=_SHADE)
    draw.rounded_rectangle(at(0.33, 0.81, 0.63, 0.835), radius=side * 0.012, fill=_RIM)
    draw.pieslice(at(0.4, 0.39, 0.56, 0.53), 180, 360, fill=_ENAMEL)
    draw.rounded_rectangle(at(0.39, 0.452, 0.57, 0.472), radius=side * 0.01, fill=_RIM)
    draw.ellipse(at(0.462, 0.36, 0.498, 0.396), fill=_RIM)


def _mug(draw: ImageDraw.ImageDraw, side: float) -> None:
    def at(*points: float) -> list[float]:
        return [point * side for point in points]

    draw.arc(at(0.79, 0.73, 0.89, 0.85), -90, 90, fill=_RIM, width=round(side * 0.016))
    draw.rounded_rectangle(at(0.69, 0.7, 0.85, 0.89), radius=side * 0.02, fill=_ENAMEL)
    draw.rectangle(at(0.8, 0.71, 0.85, 0.87), fill=_SHADE)
    draw.rounded_rectangle(at(0.685, 0.695, 0.855, 0.715), radius=side * 0.01, fill=_RIM)


def main() -> None:
    """Write the files: few colours, so that they stay small."""
    for name, image in (
        ("logo.png", draw_logo(_PINE, _WATER)),
        ("logo_dark.png", draw_logo(_PALE, _WATER)),
        ("picture.png", draw_picture()),
    ):
        image.quantize(48, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            HERE / name, optimize=True
        )


if __name__ == "__main__":
    main()
