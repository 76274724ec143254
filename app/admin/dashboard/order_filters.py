"""The filters of friends' orders as an address has them."""

from collections.abc import Callable, Mapping

from app.admin.dashboard.frame import Frame
from app.admin.filter_texts import FilterTexts
from app.admin.views import orders as view
from app.base.i18n import SOURCE, translate
from app.insight import words
from app.insight.words import word

FILTERS = ("referrer", "code", "reason", "from", "to")
"""The names in an address, beside `status` and `shop`."""
_NAMES = {"from": "start", "to": "end"}


def texts_of(fields: Mapping[str, str], shop: str | None) -> FilterTexts:
    """The filter of an address or a form; a shop by its slug."""
    texts = FilterTexts()
    for name in ("status", *FILTERS):
        if value := fields.get(name):
            texts[_NAMES.get(name, name)] = value  # type: ignore[literal-required]  # the names above
    if shop:
        texts["shop"] = shop
    return texts


def chips(frame: Frame) -> list[dict[str, str]]:
    """The filters in force in words, each with the address without it."""
    query = frame.request.query_params
    shown: dict[str, Callable[[str], str]] = {
        "referrer": lambda _: translate(SOURCE, "of one referrer"),
        "code": str,
        "reason": lambda value: word(SOURCE, words.REDEMPTION_REASONS, value),
        "from": lambda value: translate(SOURCE, "recorded from %(day)s", day=value),
        "to": lambda value: translate(SOURCE, "recorded before %(day)s", day=value),
    }
    return [
        {"name": text(query[name]), "href": frame.here(**{name: None})}
        for name, text in shown.items()
        if query.get(name)
    ]


def bulk_links(frame: Frame) -> list[tuple[str, str]]:
    """What may be decided about all orders of the list: its address and words."""
    query = frame.request.query_params
    kept = {name: query.get(name) or None for name in ("status", *FILTERS)}
    return [
        (frame.url("/admin/orders/bulk", action=action, **kept), translate(SOURCE, name))
        for action, name in view.bulk_actions(query.get("status") or "")
    ]
