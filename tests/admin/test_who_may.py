"""Who may open what: every route of the dashboard and of the API, by every identity.

A route that is not in the tables fails the test.
"""

from collections import defaultdict
from dataclasses import dataclass

import httpx2
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select

from app.admin import account_pages, sign_in_pages
from app.admin.api import PARTS
from app.admin.dashboard import screens
from app.admin.keys import add_key, create_key
from app.admin.models import Staff
from app.admin.rules import Role, Scope, allows, includes
from app.base.actor import cli_actor
from app.base.ids import public_id
from app.brands.add import add_brand, add_shop
from tests.support.apps import api_app, whole_app
from tests.support.factories.rows import Rows
from tests.support.forms import form_token
from tests.support.staff import link_for

ANYBODY = "anybody"
"""Who is not signed in too."""
SIGNED_IN = "signed in"
PAGES = {
    "GET /admin/login": ANYBODY,
    "POST /admin/login": ANYBODY,
    "POST /admin/login/link": ANYBODY,
    "GET /admin/login/code": ANYBODY,
    "POST /admin/login/code": ANYBODY,
    "GET /admin/login/{token}": ANYBODY,
    "POST /admin/login/{token}": ANYBODY,
    "POST /admin/logout": SIGNED_IN,
    "GET /admin/brands": SIGNED_IN,
    "POST /admin/brands": SIGNED_IN,
    "GET /admin/account": SIGNED_IN,
    "POST /admin/account/password": SIGNED_IN,
    "POST /admin/account/digest": SIGNED_IN,
    "GET /admin/account/authenticator": SIGNED_IN,
    "POST /admin/account/authenticator": SIGNED_IN,
    "POST /admin/account/authenticator/remove": SIGNED_IN,
    "POST /admin/account/sessions/end": SIGNED_IN,
    "POST /admin/account/sessions/{id}/end": SIGNED_IN,
    "GET /admin/account/confirm": SIGNED_IN,
    "POST /admin/account/confirm": SIGNED_IN,
    "GET /admin": Role.viewer,
    "GET /admin/scores": Role.viewer,
    "GET /admin/answers": Role.viewer,
    "POST /admin/answers/{id}/state": Role.support,
    "POST /admin/answers/{id}/assignee": Role.support,
    "POST /admin/answers/{id}/tags": Role.support,
    "POST /admin/answers/{id}/notes": Role.support,
    "GET /admin/referrers": Role.viewer,
    "POST /admin/referrers/margin": Role.marketer,
    "GET /admin/codes": Role.viewer,
    "GET /admin/codes/{id}": Role.viewer,
    "POST /admin/codes/{id}/replace": Role.marketer,
    "POST /admin/codes/{id}/disable": Role.marketer,
    "POST /admin/codes/{id}/reissue": Role.marketer,
    "POST /admin/codes/{id}/dismiss": Role.marketer,
    "POST /admin/codes/{id}/messages/{message}/resend": Role.marketer,
    "POST /admin/answers/{id}/reply": Role.support,
    "POST /admin/answers/{id}/testimonial/withdraw": Role.support,
    "POST /admin/answers/{id}/suspicion": Role.support,
    "POST /admin/answers/passives": Role.marketer,
    "GET /admin/orders": Role.viewer,
    "GET /admin/orders/bulk": Role.marketer,
    "POST /admin/orders/bulk": Role.marketer,
    "GET /admin/orders/bulk/{id}": Role.marketer,
    "GET /admin/orders/credit": Role.marketer,
    "POST /admin/orders/credit": Role.marketer,
    "POST /admin/orders/{id}/relink": Role.marketer,
    "POST /admin/orders/{id}/take-back": Role.marketer,
    "GET /admin/orders/{id}": Role.viewer,
    "POST /admin/orders/{id}/approve": Role.marketer,
    "POST /admin/orders/{id}/reject": Role.marketer,
    "GET /admin/rewards": Role.viewer,
    "GET /admin/rewards/goodwill": Role.marketer,
    "POST /admin/rewards/goodwill": Role.marketer,
    "POST /admin/rewards/goodwill/{id}/take-back": Role.marketer,
    "GET /admin/ledger": Role.viewer,
    "GET /admin/ledger/{id}": Role.viewer,
    "GET /admin/customers/{id}": Role.viewer,
    "GET /admin/customers/{id}/export": Role.admin,
    "GET /admin/customers/{id}/erase": Role.admin,
    "POST /admin/customers/{id}/erase": Role.admin,
    "GET /admin/programme/terms": Role.viewer,
    "POST /admin/programme/terms": Role.marketer,
    "GET /admin/programme/terms/versions": Role.viewer,
    "GET /admin/programme/terms/switches/{name}": Role.marketer,
    "POST /admin/programme/terms/switches/{name}": Role.marketer,
    "GET /admin/programme/messages": Role.viewer,
    "GET /admin/programme/messages/{name}": Role.viewer,
    "POST /admin/programme/messages/{name}": Role.marketer,
    "GET /admin/programme/messages/{name}/frame": Role.viewer,
    "GET /admin/programme/messages/{name}/versions": Role.viewer,
    "GET /admin/programme/look": Role.viewer,
    "POST /admin/programme/look": Role.marketer,
    "POST /admin/programme/look/images/{kind}": Role.marketer,
    "GET /admin/programme/look/frame/{kind}": Role.viewer,
    "GET /admin/settings/team": Role.admin,
    "GET /admin/settings/team/invite": Role.admin,
    "POST /admin/settings/team/invite": Role.admin,
    "GET /admin/settings/team/{id}": Role.admin,
    "POST /admin/settings/team/{id}/access": Role.admin,
    "POST /admin/settings/team/{id}/invitation": Role.admin,
    "POST /admin/settings/team/{id}/authenticator/remove": Role.admin,
    "POST /admin/settings/team/{id}/sessions/end": Role.admin,
    "POST /admin/settings/team/{id}/sessions/{session_id}/end": Role.admin,
    "POST /admin/settings/team/{id}/remove": Role.admin,
    "GET /admin/settings/shops": Role.admin,
    "GET /admin/settings/shops/new": Role.admin,
    "POST /admin/settings/shops/new": Role.admin,
    "GET /admin/settings/shops/{shop}": Role.admin,
    "POST /admin/settings/shops/{shop}/check": Role.admin,
    "POST /admin/settings/shops/{shop}/connect": Role.admin,
    "POST /admin/settings/shops/{shop}/disconnect": Role.admin,
    "POST /admin/settings/shops/{shop}/sync": Role.admin,
    "GET /admin/settings/keys": Role.admin,
    "GET /admin/settings/keys/new": Role.admin,
    "POST /admin/settings/keys/new": Role.admin,
    "POST /admin/settings/keys/{id}/revoke": Role.admin,
    "GET /admin/settings/alarms": Role.admin,
    "POST /admin/settings/alarms/hours": Role.admin,
    "POST /admin/settings/alarms/webhook": Role.admin,
    "POST /admin/settings/alarms/webhook/test": Role.admin,
    "POST /admin/settings/alarms/webhook/remove": Role.admin,
    "GET /admin/settings/exports": Role.support,
    "GET /admin/settings/exports/{what}.csv": Role.support,
    "GET /admin/settings/exports/{what}.jsonl": Role.support,
    "GET /admin/settings/import": Role.admin,
    "POST /admin/settings/import/file": Role.admin,
    "GET /admin/settings/import/{id}": Role.admin,
    "GET /admin/settings/import/{id}/refused.csv": Role.admin,
    "POST /admin/settings/import/{id}/stop": Role.admin,
    "GET /admin/settings/audit": Role.admin,
    "GET /outbox": Role.support,
    "GET /outbox/{shown_id}": Role.support,
    "GET /outbox/{shown_id}/html": Role.support,
    "GET /admin/search": Role.viewer,
    "GET /admin/system": Role.admin,
    "GET /admin/system/deliveries/{id}": Role.admin,
    "POST /admin/system/deliveries/{id}/replay": Role.admin,
    "POST /admin/system/messages/{id}/{decision}": Role.admin,
    "GET /admin/gallery": Role.viewer,
}


def described(route: APIRoute) -> str:
    (method,) = route.methods
    return f"{method} {route.path}"


def own_routes(router) -> list[APIRoute]:
    return [route for route in router.routes if isinstance(route, APIRoute)]


PAGE_ROUTES = [
    *own_routes(sign_in_pages.router),
    *own_routes(account_pages.router),
    *screens.ROUTES,
]
API_ROUTES = [route for part in PARTS for route in own_routes(part.router)]


def routes_below(routes, found):
    """Every route of an application, those of included routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            routes_below(inner.routes, found)
        elif isinstance(route, APIRoute):
            found.append(route)
    return found


def test_every_page_of_the_dashboard_is_in_the_table(context):
    served = {
        described(route)
        for route in routes_below(whole_app(context).routes, [])
        if route.path.startswith(("/admin", "/outbox")) and route.path != "/admin/"
    }
    assert served == set(PAGES)
    assert {described(route) for route in PAGE_ROUTES} == set(PAGES)


def scope_of(route: APIRoute) -> Scope:
    """The scope that the route names; read from its dependencies."""

    def wanted(dependant):
        if hasattr(dependant.call, "wants"):
            yield dependant.call.wants
        for inner in dependant.dependencies:
            yield from wanted(inner)

    return next(wanted(route.dependant))


def test_every_route_of_the_api_names_the_least_scope():
    """Reading needs `read` at most where it is not about access; what changes something never."""
    by_scope = defaultdict(set)
    for route in API_ROUTES:
        by_scope[scope_of(route)].add(described(route))
    assert not [each for each in by_scope[Scope.read] if not each.startswith("GET ")]
    about_access = {
        described(route) for route in API_ROUTES if route.path.startswith(("/keys", "/staff", "/audit"))
    }
    assert about_access <= by_scope[Scope.admin]
    assert by_scope[Scope.pii] <= {"GET /customers/{id}/export", "POST /customers/{id}/erase"} | {
        each for each in by_scope[Scope.pii] if each.startswith("GET ")
    }


@dataclass
class Made:
    """Rows of the brand, to be asked for by their ids."""

    ids: dict[str, str]
    secrets: tuple[str, ...]
    """What nobody of another brand may read."""

    def path(self, route: APIRoute) -> str:
        return route.path.format_map(
            defaultdict(lambda: "x", self.ids | {"id": self.ids.get(_prefix(route.path), "x")})
        )


def _prefix(path: str) -> str:
    return next((word for word in path.split("/") if word in KINDS), "")


KINDS = {"customers", "orders", "staff", "team", "keys", "codes", "redemptions", "answers", "responses"}


@pytest.fixture
async def made(context, session, brand, shop):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10, comment="Lovely mug", order={"items": []})
    lone = await rows.customer()
    code = await rows.code(happy.customer_id, happy.survey_id)
    redemption = await rows.redemption(code)
    key, _ = await create_key(session, brand.id, [Scope.read], actor=cli_actor(brand.id), label="Ours")
    await session.commit()
    await link_for(context, brand, Role.viewer, "colleague@example.com")
    staff_id = await session.scalar(select(Staff.id).where(Staff.email == "colleague@example.com"))
    await session.commit()
    staff = public_id("stf", staff_id)
    return Made(
        {
            "customers": public_id("cus", lone.id),
            "answers": public_id("rsp", happy.id),
            "responses": public_id("rsp", happy.id),
            "staff": staff,
            "team": staff,
            "keys": public_id("key", key.id),
            "codes": public_id("cod", code.id),
            "code": code.display,
            "redemptions": public_id("red", redemption.id),
            "orders": public_id("red", redemption.id),
            "shop": shop.slug,
            "what": "responses",
            "name": "survey",
            "locale": "en",
        },
        ("colleague@example.com", "Lovely mug", code.display, "Ours"),
    )


async def rival_brand(context):
    async with context.sessions.begin() as session:
        rival = await add_brand(session, "rival", name="Rival")
        await add_shop(session, context.tokens, rival, "rival", name="Rival", actor=cli_actor(rival.id))
    return rival


async def test_no_page_opens_below_its_role(context, brand, shop, made):
    """As the next one, for who is not signed in and the lowest role: what has to be refused."""
    assert await _wrong_pages(context, brand, made, (None, Role.viewer), only_refused=True) == []


@pytest.mark.slow
async def test_each_page_is_for_its_role_alone(context, brand, shop, made):
    assert await _wrong_pages(context, brand, made, (None, *Role, "rival")) == []


async def _wrong_pages(context, brand, made, identities, *, only_refused=False):
    app, wrong = whole_app(context), []
    for identity in identities:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            await _try_pages(client, context, brand, made, identity, wrong, only_refused=only_refused)
    return wrong


async def _try_pages(client, context, brand, made, identity, wrong, *, only_refused):
    owner = await rival_brand(context) if identity == "rival" else brand
    role = Role.admin if identity == "rival" else identity
    token = ""
    if role is not None:
        await client.post(await link_for(context, owner, role, f"{identity}@example.com"))
        token = form_token((await client.get("/admin/account")).text)
    # Signing out comes last.
    for route in sorted(PAGE_ROUTES, key=lambda each: each.path == "/admin/logout"):
        name = described(route)
        needed = PAGES[name]
        if only_refused and (needed == ANYBODY or (role and (needed == SIGNED_IN or includes(role, needed)))):
            continue
        (method,) = route.methods
        sent = {"data": {"csrf": token}} if method == "POST" else {}
        response = await client.request(method, made.path(route), **sent)
        if needed == ANYBODY:
            continue
        allowed = role is not None and (needed == SIGNED_IN or includes(role, needed))
        if response.status_code == 500 or allowed is _is_refused(response):
            wrong.append(f"{identity}: {name} is {response.status_code}")
        if identity == "rival" and any(secret in response.text for secret in made.secrets):
            wrong.append(f"rival reads ours at {name}")
        about_ours = made.path(route) != route.path and _prefix(route.path)
        if identity == "rival" and about_ours and response.status_code < 400:
            wrong.append(f"rival may {name}: {response.status_code}")


def _is_refused(response) -> bool:
    """Refused, or led to the page to sign in."""
    if response.status_code == 303 and response.headers["location"] == "/admin":
        return True
    return response.status_code in (401, 403)


@pytest.mark.slow
async def test_each_route_of_the_api_is_for_its_scope_alone(context, brand, shop, made):
    rival = await rival_brand(context)
    keys: dict[str, tuple[str, frozenset[str]]] = {
        "nobody": ("", frozenset()),
        "a wrong key": ("tf_x", frozenset()),
    }
    async with context.sessions.begin() as session:
        for scope in Scope:
            given = frozenset({scope})
            key = await add_key(session, brand.id, given, actor=cli_actor(brand.id))
            keys[scope] = (key, given)
        everything = frozenset({Scope.admin, Scope.pii})
        keys["rival"] = await add_key(session, rival.id, everything, actor=cli_actor(rival.id)), everything
    wrong: list[str] = []
    transport = httpx2.ASGITransport(app=api_app(context))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
        for identity, (key, scopes) in keys.items():
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            for route in API_ROUTES:
                await _try_api(client, made, route, identity, scopes, headers, wrong)
    assert wrong == []


async def _try_api(client, made, route, identity, scopes, headers, wrong):
    (method,) = route.methods
    name, needed = described(route), scope_of(route)
    # An unknown field is refused, so nothing is changed by who may.
    sent = {} if method in ("GET", "DELETE") else {"json": {"no_such_field": 1}}
    if method == "DELETE" and identity != "rival" and allows(scopes, needed):
        return
    response = await client.request(method, made.path(route), headers=headers, **sent)
    status = response.status_code
    if identity in ("nobody", "a wrong key"):
        expected = status == 401
    elif allows(scopes, needed):
        expected = status not in (401, 500) and (status != 403 or "pii" in response.text)
    else:
        expected = status == 403
    if not expected:
        wrong.append(f"{identity}: {name} is {status}")
    if identity == "rival" and any(secret in response.text for secret in made.secrets):
        wrong.append(f"rival reads ours at {name}")
    if identity == "rival" and _prefix(route.path) and "{" in route.path and status < 400:
        wrong.append(f"rival may {name}: {status}")
