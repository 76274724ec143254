"""Settings, Shops: each shop with its connection, what is missing there, and reading its orders."""

from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from app.admin.auth import refuse_unconfirmed
from app.admin.dashboard.access import AdminWriter, ForAdmin, confirmed_writer, screen_router
from app.admin.dashboard.flash import Tone
from app.admin.dashboard.form import Form
from app.admin.dashboard.frame import Frame
from app.admin.shop_connections import connection_shapes, disconnect_shop
from app.admin.views.shops import (
    abilities,
    platform_name,
    shop_rows,
    shown_sync,
    state_of,
)
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.i18n import SOURCE, translate
from app.brands.models import Shop
from app.brands.rules import Platform, zone_or
from app.ingest.schemas import SyncShape
from app.ingest.sync_request import load_sync, request_sync
from app.insight.system import shop_deliveries
from app.platforms.connect import connect_shop, request_check, try_connection
from app.platforms.new_shop import NewShop, create_shop, hook_urls
from app.platforms.registry import PLATFORMS, adapter_of
from app.platforms.schemas import PlatformShape

SHOPS = "/admin/settings/shops"
REFRESH_SECONDS = 4
"""After this a page loads itself anew while something is being done."""
router = screen_router(SHOPS)
Adding = Annotated[tuple[Frame, Form], Depends(confirmed_writer(f"{SHOPS}/new"), scope="function")]
Changing = Annotated[tuple[Frame, Form], Depends(confirmed_writer(f"{SHOPS}/{{shop}}"), scope="function")]
_NEW_FIELDS = ("name", "slug", "platform", "url", "currency", "time_zone", "locale")
_FIELD_OF = {
    "slug_taken": "slug",
    "bad_slug": "slug",
    "bad_url": "url",
    "bad_time_zone": "time_zone",
    "unknown_currency": "currency",
    "bad_amount": "currency",
}
"""The field that an error of a new shop is about; any other one is about its name."""


@router.get("")
async def show_shops(frame: ForAdmin) -> Response:
    """The brand's shops, each with its state and the sentence that mends it."""
    platforms = {name: PlatformShape.of(name, adapter) for name, adapter in PLATFORMS.items()}
    connections = await connection_shapes(frame.session, frame.context.tokens, frame.shops)
    deliveries = await shop_deliveries(frame.session, frame.brand.id)
    values = {"rows": shop_rows(frame.shops, platforms, connections, deliveries)}
    return frame.page("admin/shops.html", "shops", values)


@router.get("/new")
async def show_new(frame: ForAdmin) -> Response:
    """The form of a new shop."""
    refuse_unconfirmed(frame.staff, f"{SHOPS}/new")
    entered = dict.fromkeys(_NEW_FIELDS, "") | {
        "platform": Platform.shopify.value,
        "currency": frame.shops[0].currency if frame.shops else "EUR",
        "time_zone": frame.brand.time_zone,
        "locale": frame.brand.locale,
    }
    return _new_page(frame, entered)


def _new_page(frame: Frame, entered: dict[str, str], errors: dict[str, str] | None = None) -> Response:
    values = {
        "entered": entered,
        "platforms": [(name, platform_name(name)) for name in PLATFORMS],
        "errors": errors or {},
    }
    return frame.page("admin/shop_new.html", "shops", values, status=422 if errors else 200)


@router.post("/new")
async def add(writer: Adding) -> Response:
    """Add a shop; one that is never called gets its secret shown, this once."""
    frame, form = writer
    entered = {name: form.text(name, limit=500) for name in _NEW_FIELDS}
    if entered["platform"] not in set(Platform):
        return _new_page(frame, entered, {"platform": _("Choose what the shop runs on.")})
    new = NewShop(
        slug=entered["slug"],
        name=entered["name"],
        platform=Platform(entered["platform"]),
        currency=entered["currency"].upper(),
        time_zone=entered["time_zone"] or None,
        locale=entered["locale"] or None,
        url=entered["url"] or None,
    )
    session, context = frame.session, frame.context
    try:
        async with session.begin_nested():
            shop, secret = await create_shop(
                session, context.tokens, frame.brand, new, actor=frame.staff.actor
            )
    except AppError as error:
        return _new_page(frame, entered, {_FIELD_OF.get(error.code, "name"): error.detail})
    if adapter_of(shop.platform).credentials:
        return frame.redirect(f"{SHOPS}/{shop.slug}", _("The shop is added. Connect it now."))
    hook = hook_urls(context.settings.public_url, shop.slug, shop.platform)[shop.platform]
    return frame.page("admin/shop_made.html", "shops", {"made": shop, "secret": secret, "hook": hook})


@router.get("/{shop}")
async def show_shop(shop: str, frame: ForAdmin) -> Response:
    """A shop: its connection, where it delivers to, and the reading of its orders."""
    return await _shop_page(frame, _own(frame, shop), {}, "")


async def _shop_page(
    frame: Frame, shop: Shop, errors: dict[str, str], account: str, status: int = 200
) -> Response:
    found = await connection_shapes(frame.session, frame.context.tokens, [shop])
    connection = found.get(shop.slug)
    platform = PlatformShape.of(shop.platform, adapter_of(shop.platform))
    last = {each.shop: each.last_delivery_at for each in await shop_deliveries(frame.session, frame.brand.id)}
    row = await load_sync(frame.session, frame.brand.id, shop.id)
    sync = shown_sync(None if row is None else SyncShape.of(shop.slug, row), now=clock.now())
    is_working = (connection is not None and connection.checked_at is None) or (sync and sync.is_working)
    names = dict.fromkeys(name for each in platform.credentials for name in each)
    titles = adapter_of(shop.platform).credential_titles
    values = {
        "it": shop,
        "platform": platform,
        "platform_name": platform_name(shop.platform),
        "abilities": abilities(platform),
        "state": state_of(platform, connection, last.get(shop.slug)),
        "connection": connection,
        "last_delivery_at": last.get(shop.slug),
        "hooks": hook_urls(frame.context.settings.public_url, shop.slug, shop.platform),
        "sync": sync,
        "is_working": is_working,
        "credential_sets": platform.credentials,
        "credential_names": [(name, _(titles.get(name, name))) for name in names],
        "name_of": lambda name: _(titles.get(name, name)),
        "account": account or (connection.account if connection else ""),
        "errors": errors,
    }
    headers = {"Refresh": f"{REFRESH_SECONDS}; url={SHOPS}/{shop.slug}"} if is_working and not errors else {}
    return frame.page("admin/shop.html", "shops", values, status=status, headers=headers)


def _own(frame: Frame, slug: str) -> Shop:
    """The shop that who is signed in may see. Raises `NotFound`."""
    found = next((each for each in frame.shops if each.slug == slug), None)
    if found is None:
        raise NotFound
    return found


@router.post("/{shop}/check")
async def check(shop: str, writer: AdminWriter) -> Response:
    """Have the connection checked; the page shows what was found once it is."""
    frame, _form = writer
    found = _own(frame, shop)
    await request_check(frame.session, frame.brand.id, found.id, now=clock.now())
    return frame.redirect(f"{SHOPS}/{found.slug}")


@router.post("/{shop}/connect")
async def connect(shop: str, writer: Changing) -> Response:
    """Try the credentials, and connect the shop with them; they are never shown again."""
    frame, form = writer
    found, account = _own(frame, shop), form.text("account", limit=200)
    names = dict.fromkeys(name for each in adapter_of(found.platform).credentials for name in each)
    credentials = {name: text for name in names if (text := form.text(name, limit=500))}
    session, context = frame.session, frame.context
    try:
        connection = await try_connection(context.settings, found, account, credentials)
        async with session.begin_nested():
            await connect_shop(
                session, context.tokens, found, connection, actor=frame.staff.actor, now=clock.now()
            )
    except AppError as error:
        field = "account" if error.code in {"bad_account", "account_taken"} else next(iter(names), "account")
        return await _shop_page(frame, found, {field: error.detail}, account, error.status)
    return frame.redirect(f"{SHOPS}/{found.slug}", _("Connected. Its webhooks are registered now."))


@router.post("/{shop}/disconnect")
async def disconnect(shop: str, writer: Changing) -> Response:
    """Remove the connection, its credentials, and the webhooks at the platform."""
    frame, _form = writer
    found = _own(frame, shop)
    failed = await disconnect_shop(frame.session, frame.context, found, actor=frame.staff.actor)
    path = f"{SHOPS}/{found.slug}"
    if failed is not None:
        text = _("Disconnected. Its webhooks could not be removed; delete them in the shop:")
        return frame.redirect(path, f"{text} {failed}", Tone.failed)
    return frame.redirect(path, _("Disconnected; its credentials are deleted."))


@router.post("/{shop}/sync")
async def sync(shop: str, writer: AdminWriter) -> Response:
    """Have the shop's orders read from its platform, since a day of the shop's."""
    frame, form = writer
    found = _own(frame, shop)
    path = f"{SHOPS}/{found.slug}"
    try:
        day = date.fromisoformat(form.text("since", limit=10))
        since = datetime.combine(day, time(), zone_or(found.time_zone, "UTC")).astimezone(UTC)
        await request_sync(
            frame.session,
            found,
            since=since,
            history=form.is_on("history"),
            actor=frame.staff.actor,
            now=clock.now(),
        )
    except (ValueError, OverflowError):
        return await _shop_page(frame, found, {"since": _("Choose the first day.")}, "", 422)
    except AppError as error:
        if error.status == 404:
            raise
        return await _shop_page(frame, found, {"since": error.detail}, "", error.status)
    return frame.redirect(path)


def _(text: str) -> str:
    return translate(SOURCE, text)
