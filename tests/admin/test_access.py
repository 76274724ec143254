"""Keys and staff by the API: made, listed, revoked and removed, for administrators alone."""

import asyncio
from contextlib import contextmanager
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import event, func, select, update

from app.admin.find_sessions import find_signed_in
from app.admin.keys import add_key, create_key
from app.admin.known_keys import RECHECK_SECONDS, WRITE_SECONDS, KnownKeys
from app.admin.links import login_link_of
from app.admin.models import ApiKey, IdempotencyKey, LoginLink, Staff, StaffSession
from app.admin.rules import Role, Scope
from app.admin.sign_in import sign_in
from app.admin.staff import add_staff, remove_staff
from app.base import clock
from app.base.actor import Actor, ActorKind, cli_actor
from app.base.audit import AuditAction, AuditEntry
from app.base.errors import NotFound
from app.base.ids import new_id, parse_public_id, public_id
from app.brands.add import add_brand
from tests.support.apps import api_app
from tests.support.constants import NOW
from tests.support.staff import mailed_link


class Watch:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def app(context):
    return api_app(context)


@pytest.fixture
def statements(context):
    """A context manager whose value lists the statements that are executed inside it."""

    @contextmanager
    def counted():
        seen: list[str] = []
        heard = (context.engine.sync_engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
        event.listen(*heard)
        yield seen
        event.remove(*heard)

    return counted


@pytest.fixture
async def client_of(app):
    """Makes clients of the API with the given key."""
    opened = []

    def make(key: str) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {key}"}
        opened.append(httpx2.AsyncClient(transport=transport, base_url="http://test/api/v1", headers=headers))
        return opened[-1]

    yield make
    for client in opened:
        await client.aclose()


async def key_of(context, brand, *scopes: Scope) -> str:
    async with context.sessions.begin() as session:
        return await add_key(session, brand.id, scopes, actor=cli_actor(brand.id))


@pytest.fixture
async def admin(context, brand, client_of):
    return client_of(await key_of(context, brand, Scope.admin, Scope.pii))


async def actions_of(session, subject_id):
    entries = select(AuditEntry.action, AuditEntry.actor_kind).where(AuditEntry.subject_id == subject_id)
    return [tuple(row) for row in await session.execute(entries.order_by(AuditEntry.id))]


async def test_a_key_is_made_used_listed_and_revoked(admin, client_of, session):
    made = await admin.post("/keys", json={"scopes": ["read"], "label": "Reports", "expires_days": 30})
    assert made.status_code == 201, made.text
    row = made.json()
    key = row.pop("key")
    assert (row["label"], row["scopes"], row["revoked_at"]) == ("Reports", ["read"], None)
    reader = client_of(key)
    assert (await reader.get("/brand")).status_code == 200
    listed = await admin.get("/keys")
    assert listed.json()["data"][0] == row
    assert key not in listed.text
    revoked = await admin.delete(f"/keys/{row['id']}")
    assert (revoked.status_code, bool(revoked.json()["revoked_at"])) == (200, True)
    assert (await admin.delete(f"/keys/{row['id']}")).json() == revoked.json()
    subject = await session.scalar(select(ApiKey.id).where(ApiKey.label == "Reports"))
    assert await actions_of(session, subject) == [
        (AuditAction.key_added, "api_key"),
        (AuditAction.key_revoked, "api_key"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scopes": []},
        {"scopes": ["all"]},
        {"scopes": ["read"], "expires_days": 0},
        {"scopes": ["read"], "label": "a\nb"},
        {"scopes": ["read"], "owner": "x"},
    ],
)
async def test_a_key_that_cannot_be_is_refused(admin, body):
    assert (await admin.post("/keys", json=body)).status_code == 422


async def test_keys_and_staff_are_for_administrators_and_their_own_brand(
    context, session, brand, admin, client_of
):
    writer = client_of(await key_of(context, brand, Scope.read, Scope.write, Scope.pii, Scope.checkout))
    for method, path in (("GET", "/keys"), ("POST", "/keys"), ("GET", "/staff"), ("POST", "/staff")):
        assert (await writer.request(method, path, json={})).status_code in (403, 422)
    body = {"scopes": ["read"]}
    assert (await writer.post("/keys", json=body)).json()["code"] == "missing_scope"
    async with context.sessions.begin() as other:
        rival = await add_brand(other, "rival", name="Rival")
        key, _ = await create_key(other, rival.id, [Scope.read], actor=cli_actor(rival.id))
        person = await add_staff(other, rival.id, "zoe@rival.example", Role.admin, actor=cli_actor(rival.id))
    for path in (f"/keys/{public_id('key', key.id)}", f"/staff/{public_id('stf', person)}", "/keys/x"):
        assert (await admin.delete(path)).status_code == 404
    assert "zoe@" not in (await admin.get("/staff")).text
    assert await session.scalar(select(ApiKey.revoked_at).where(ApiKey.id == key.id)) is None


async def test_a_key_cannot_make_one_that_shows_more(context, brand, client_of):
    client = client_of(await key_of(context, brand, Scope.admin))
    refused = await client.post("/keys", json={"scopes": ["read", "pii"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert (await client.post("/keys", json={"scopes": ["admin"]})).status_code == 201


async def test_a_repeated_request_makes_one_key_and_shows_it_once(admin, session):
    headers = {"Idempotency-Key": "k"}
    first = (await admin.post("/keys", json={"scopes": ["read"]}, headers=headers)).json()
    again = (await admin.post("/keys", json={"scopes": ["read"]}, headers=headers)).json()
    assert again == first | {"key": None}
    stored = await session.scalar(select(IdempotencyKey.body))
    assert first["key"] not in str(stored)


async def test_a_revoked_or_expired_key_is_refused_in_every_process_within_five_seconds(
    context, brand, session
):
    watches = [Watch(), Watch()]
    processes = [KnownKeys(context.sessions, watch) for watch in watches]
    async with context.sessions.begin() as other:
        expires_at = NOW + timedelta(days=1)
        key, sent = await create_key(
            other, brand.id, [Scope.read], actor=cli_actor(brand.id), expires_at=expires_at
        )
    for each in processes:
        assert await each.find(sent, now=NOW) is not None
        assert await each.find(sent, now=expires_at - timedelta(seconds=1)) is not None
        assert await each.find(sent, now=expires_at) is None
    async with context.sessions.begin() as other:
        await other.execute(update(ApiKey).where(ApiKey.id == key.id).values(revoked_at=NOW))
    assert RECHECK_SECONDS < 5
    for watch, each in zip(watches, processes, strict=True):
        watch.at += RECHECK_SECONDS
        assert await each.find(sent, now=NOW) is None
        assert await each.find(sent, now=NOW) is None


async def test_a_busy_key_is_read_and_written_a_few_times_only(context, brand, session, statements):
    sent = await key_of(context, brand, Scope.read)
    watch = Watch()
    known = KnownKeys(context.sessions, watch)
    with statements() as seen:
        for _ in range(1_000):
            assert await known.find(sent, now=NOW)
    assert len([each for each in seen if "api_keys" in each]) == 1
    await known.write_uses()
    assert await session.scalar(select(ApiKey.last_used_at)) == NOW


async def test_uses_are_written_together_and_at_most_once_a_minute(context, brand, session, statements):
    sent = [await key_of(context, brand, Scope.read) for _ in range(3)]
    known = KnownKeys(context.sessions, Watch())
    for each in sent:
        await known.find(each, now=NOW)
    with statements() as seen:
        await known.write_uses()
    assert len([each for each in seen if "UPDATE api_keys" in each]) == 1
    last = select(ApiKey.last_used_at).order_by(ApiKey.id)
    assert set(await session.scalars(last)) == {NOW}
    await session.commit()
    for wait, expected in ((WRITE_SECONDS / 2, NOW), (WRITE_SECONDS + 1, NOW + timedelta(seconds=61))):
        await known.find(sent[0], now=NOW + timedelta(seconds=wait))
        await known.write_uses()
        assert (await session.scalars(last)).first() == expected
        await session.commit()


async def test_a_use_is_written_by_itself(app, admin, session):
    await admin.get("/brand")
    known = app.state.known_keys
    assert known._timer is not None
    known._timer.cancel()
    known._start_writing()
    await known._writing
    used = (await admin.get("/keys")).json()["data"][0]["last_used_at"]
    assert used is not None


async def test_a_person_is_added_signed_in_listed_and_removed(context, admin, session):
    added = await admin.post("/staff", json={"email": "Ana@Acme.example", "role": "marketer"})
    assert added.status_code == 201, added.text
    row = added.json()
    url = row.pop("login_url")
    assert (row["email"], row["role"]) == ("ana@acme.example", "marketer")
    assert (await admin.get("/staff")).json()["data"] == [row]
    spare = (await admin.post("/staff", json={"email": "ana@acme.example", "role": "marketer"})).json()
    made = await sign_in(session, context.tokens, url.rsplit("/", 1)[1], now=clock.now())
    assert made is not None
    cookie = made.cookie
    await session.commit()
    assert await find_signed_in(session, context.tokens, cookie, now=clock.now())
    await session.commit()
    left = (await admin.post("/staff", json={"email": "ana@acme.example", "role": "admin"})).json()
    assert (left["id"], left["role"], left["login_url"]) == (row["id"], "admin", None)
    removed = await admin.delete(f"/staff/{row['id']}")
    assert (removed.status_code, removed.json()["id"]) == (200, row["id"])
    assert await find_signed_in(session, context.tokens, cookie, now=clock.now()) is None
    assert (
        await sign_in(session, context.tokens, spare["login_url"].rsplit("/", 1)[1], now=clock.now()) is None
    )
    for table in (Staff, LoginLink, StaffSession):
        assert await session.scalar(select(func.count()).select_from(table)) == 0
    assert (await admin.delete(f"/staff/{row['id']}")).status_code == 404


async def test_without_pii_addresses_are_masked_and_no_link_shows_more(context, brand, client_of):
    client = client_of(await key_of(context, brand, Scope.admin))
    viewer = (await client.post("/staff", json={"email": "eve@acme.example", "role": "viewer"})).json()
    assert (viewer["email"], bool(viewer["login_url"])) == ("e***@***", True)
    # Whoever is added asks for a link themselves, so hiding it would keep nobody out.
    for path in ("/staff", "/staff/invitations"):
        more = await client.post(path, json={"email": "sam@acme.example", "role": "support"})
        assert (more.status_code, more.json()["code"]) == (403, "missing_scope")
    raised = await client.patch(f"/staff/{viewer['id']}", json={"role": "support"})
    assert (raised.status_code, raised.json()["code"]) == (403, "missing_scope")
    assert "@acme" not in (await client.get("/staff")).text


async def test_nobody_signs_in_beside_their_removal(context, brand):
    """A link in use keeps the person until its session is there, which then ends too."""
    actor = cli_actor(brand.id)
    async with context.sessions.begin() as session:
        person = await add_staff(session, brand.id, "ana@acme.example", Role.viewer, actor=actor)
        url = await login_link_of(session, context, person, actor=actor, now=NOW)
    async with context.sessions() as entering, context.sessions() as removing:
        made = await sign_in(entering, context.tokens, url.rsplit("/", 1)[1], now=NOW)
        assert made is not None
        removal = asyncio.create_task(remove_staff(removing, brand.id, person, actor=actor))
        done, _ = await asyncio.wait([removal], timeout=0.2)
        assert not done
        await entering.commit()
        await removal
        await removing.commit()
        assert await find_signed_in(entering, context.tokens, made.cookie, now=NOW) is None
    async with context.sessions() as session:
        with pytest.raises(NotFound):
            await remove_staff(session, brand.id, new_id(), actor=actor)


async def test_a_person_is_invited_limited_changed_and_removed_by_the_api(
    context, session, brand, shop, admin, client_of
):
    body = {"email": "zoe@acme.example", "role": "support", "shops": [shop.slug]}
    invited = await admin.post("/staff/invitations", json=body)
    assert invited.status_code == 201, invited.text
    row = invited.json()
    assert (row["status"], row["shops"], row["joined_at"]) == ("invited", [shop.slug], None)
    assert "login_url" not in row
    path, person = f"/staff/{row['id']}", parse_public_id("stf", row["id"])
    first = await mailed_link(context, "zoe@acme.example")
    assert (await admin.post(f"{path}/invitation")).status_code == 200
    second = await mailed_link(context, "zoe@acme.example")
    assert await sign_in(session, context.tokens, first.rsplit("/", 1)[1], now=clock.now()) is None
    made = await sign_in(session, context.tokens, second.rsplit("/", 1)[1], device="x", now=clock.now())
    await session.commit()
    assert (await admin.post("/staff/invitations", json=body)).json()["code"] == "already_staff"
    assert (await admin.post(f"{path}/invitation")).json()["code"] == "already_joined"
    assert [each["id"] for each in (await admin.get("/staff?status=joined")).json()["data"]] == [row["id"]]
    assert (await admin.get("/staff?status=invited")).json()["data"] == []
    raised = await admin.patch(path, json={"role": "admin"})
    assert raised.json()["code"] == "bad_shops", "an administrator cannot be limited"
    raised = await admin.patch(path, json={"role": "admin", "shops": None})
    assert (raised.json()["role"], raised.json()["shops"], raised.json()["keys_ended"]) == ("admin", None, 0)
    own = Actor(ActorKind.staff, brand.id, person, sees_people=True)
    async with context.sessions.begin() as other:
        for _ in range(2):
            await create_key(other, brand.id, [Scope.read], actor=own)
    assert (await admin.get("/keys")).json()["data"][0]["made_by"] == row["id"]
    lowered = await admin.patch(path, json={"role": "viewer"})
    assert (lowered.json()["role"], lowered.json()["keys_ended"]) == ("viewer", 2)
    (browser,) = (await admin.get(f"{path}/sessions")).json()["data"]
    assert browser["device"] == "x"
    assert (await admin.delete(f"{path}/sessions/ses_x")).status_code == 404
    assert (await admin.delete(f"{path}/sessions/{browser['id']}")).json() == {"sessions": 1}
    assert await find_signed_in(session, context.tokens, made.cookie, now=clock.now()) is None
    assert (await admin.delete(f"{path}/sessions")).json() == {"sessions": 0}
    assert (await admin.patch(path, json={"has_second_factor": True})).json()["code"] == "second_factor"
    assert (await admin.patch(path, json={"has_second_factor": False})).json()["has_second_factor"] is False
    log = await admin.get("/audit", params={"subject": row["id"], "to": "2020-01-01"})
    assert log.json()["data"] == []
    log = (await admin.get("/audit", params={"subject": row["id"], "action": "staff_changed"})).json()["data"]
    assert [sorted(entry["fields_changed"]) for entry in log] == [["role"], ["role", "shops"]]
    theirs = (await admin.get("/audit", params={"actor": row["id"]})).json()["data"]
    assert {entry["action"] for entry in theirs} == {"signed_in", "key_added"}
    for bad in ({"actor": "x"}, {"subject": "stf_x"}):
        assert (await admin.get("/audit", params=bad)).status_code == 422
    assert (await admin.delete(f"{path}?keep_keys=true")).json()["keys_ended"] == 0
    assert (await admin.get("/staff")).json()["data"] == []


async def test_an_export_is_in_the_audit_log(admin, session, brand):
    assert (await admin.get("/exports/responses.csv")).status_code == 200
    (entry,) = (await admin.get("/audit?action=exported")).json()["data"]
    assert (entry["subject_kind"], entry["changes"]) == (
        "responses",
        {"people": {"before": None, "after": True}},
    )
