"""The figures of somebody who is limited to some shops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.admin.texts import certainty_text, points_text
from app.base.i18n import SOURCE, translate_plural
from app.brands.models import Shop
from app.insight.nps import Counts, nps


@dataclass(frozen=True, slots=True)
class ShopFigure:
    """The score of one shop."""

    name: str
    score: str
    certainty: str
    based_on: str


def shop_figures(shops: Sequence[Shop], counts: Mapping[str | None, Counts]) -> list[ShopFigure]:
    """The score of each shop; `counts` are those of the period by slug."""
    return [_figure(shop.name, counts.get(shop.slug, Counts())) for shop in shops]


def _figure(name: str, counts: Counts) -> ShopFigure:
    based_on = translate_plural(SOURCE, "%(num)s answer", "%(num)s answers", counts.responses)
    return ShopFigure(name, points_text(nps(counts)), certainty_text(counts, SOURCE), based_on)
