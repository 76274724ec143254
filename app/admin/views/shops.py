"""What the screens of shops show: a shop's state with the sentence that mends it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.base.i18n import N_, SOURCE, translate
from app.brands.models import Shop
from app.ingest.schemas import SyncShape
from app.insight.system import ShopDeliveries
from app.platforms.registry import PLATFORMS
from app.platforms.schemas import ConnectionShape, PlatformShape

_CREDIT = {
    "account": N_("Store credit is put into the customer’s account, where the shop has it."),
    "coupon": N_("Credit is one coupon for each person, worth what is left of it."),
}


@dataclass(frozen=True, slots=True)
class State:
    """How a shop's connection is: a pill, its word, and what to do."""

    pill: str
    word: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class ShownShop:
    """A shop as a line of the list."""

    slug: str
    name: str
    platform: str
    state: State
    last_delivery_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShownSync:
    """Where the reading of a shop's orders stands; `is_working` while it goes on by itself."""

    row: SyncShape
    pill: str
    word: str
    sentence: str
    is_working: bool


def shop_rows(
    shops: Sequence[Shop],
    platforms: Mapping[str, PlatformShape],
    connections: Mapping[str, ConnectionShape],
    deliveries: Sequence[ShopDeliveries],
) -> list[ShownShop]:
    """The shops as the list shows them; `connections` are by the shop's slug."""
    last = {each.shop: each.last_delivery_at for each in deliveries}
    return [
        ShownShop(
            shop.slug,
            shop.name,
            platform_name(shop.platform),
            state_of(platforms.get(shop.platform), connections.get(shop.slug), last.get(shop.slug)),
            last.get(shop.slug),
        )
        for shop in shops
    ]


def platform_name(platform: str) -> str:
    """The platform's name for people; a platform of a later version has the name that is stored."""
    return _(PLATFORMS[platform].title) if platform in PLATFORMS else platform


def state_of(
    platform: PlatformShape | None, connection: ConnectionShape | None, last_delivery_at: datetime | None
) -> State:
    """How a shop's connection is."""
    if platform is None or not platform.credentials:
        if last_delivery_at is not None:
            return State("good", _("Delivers"))
        sentence = _(
            "Nothing has come from it lately: its orders go to the address below, signed by its secret."
        )
        return State("wait", _("Silent"), sentence)
    if connection is None:
        sentence = _("Its cart knows no codes until it is connected.")
        return State("no", _("Not connected"), sentence)
    if connection.checked_at is None:
        return State("wait", _("Being checked"))
    problems = [*connection.problems, *connection.codes]
    if problems:
        return State("no", _("Something is missing"), problems[0])
    return State("good", _("Connected"))


def abilities(platform: PlatformShape) -> list[str]:
    """What the platform can do in a connected shop, and what it cannot, in sentences."""
    if not platform.credentials:
        return [
            _("It reports its orders to us by itself, signed by its secret."),
            _("It asks us at the checkout whether a code counts, and reserves credit."),
            _("Orders that it did not report cannot be read from it; a file of them can be imported."),
        ]
    found = [_("Codes are put into its cart before anybody hears of them.")] * platform.publishes_codes
    found += [_("Each night the orders that it failed to report are read.")] * platform.lists_orders
    found.append(_(_CREDIT.get(platform.credit or "", N_("It holds no credit; rewards are codes."))))
    return found


def shown_sync(row: SyncShape | None, *, now: datetime) -> ShownSync | None:
    """Where the reading of orders stands, in words; None for a shop that never had one."""
    if row is None:
        return None
    if row.finished_at is not None:
        return ShownSync(row, "good", _("Done"), "", is_working=False)
    if row.problem:
        is_waiting = row.due_at > now
        return ShownSync(row, "no", _("Stopped"), row.problem, is_working=not is_waiting)
    word = _("Being read") if row.orders else _("Begins")
    return ShownSync(row, "wait", word, "", is_working=True)


def _(text: str) -> str:
    return translate(SOURCE, text)
