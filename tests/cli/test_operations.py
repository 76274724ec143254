"""What operators and browsers request beside webhooks, pages and the API."""

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import text

from app.base.web.stylesheets import stylesheet_url
from tests.support.apps import whole_app


@pytest.fixture
async def client(context):
    app = whole_app(context)
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client


async def test_a_migrated_database_is_ready_without_a_worker(client):
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).status_code == 200


async def test_a_schema_that_is_behind_is_not_ready_and_names_the_command(client, context):
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "schema_behind")
    assert "tenfold migrate" in answer.json()["detail"]


async def test_metrics_are_labelled_by_route_and_never_by_path(client):
    await client.get("/s/some-token-that-nobody-made")
    figures = (await client.get("/metrics")).text
    assert 'route="/s/{token}"' in figures
    assert "some-token" not in figures
    assert "tenfold_queue_lag_seconds" in figures


async def test_the_api_page_loads_own_files_only_and_cannot_be_framed(client):
    page = await client.get("/docs")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "https://" not in page.text
    for path in ("/static/swagger/swagger-ui-bundle.js", "/static/docs.js", "/openapi.json"):
        assert (await client.get(path)).status_code == 200, path


async def test_the_pages_stylesheets_are_served(client):
    sheet = await client.get(stylesheet_url("letter", "b23c17", "serif"))
    assert sheet.headers["content-type"].startswith("text/css")
    assert "--brand:#b23c17" in sheet.text
