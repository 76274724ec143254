"""A client that is generated from the OpenAPI document works against the program over HTTP."""

import importlib
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base.actor import cli_actor
from app.base.web.context import AppContext
from app.brands.models import Brand
from tests.support.apps import openapi_document, whole_app
from tests.support.constants import NOW
from tests.support.served import served
from tests.support.story import an_order, open_story

GENERATOR = Path(sys.executable).parent / "openapi-python-client"
pytestmark = pytest.mark.slow


@pytest.fixture
def generated(tmp_path, monkeypatch) -> str:
    """The name of the generated package, which can be imported. Warnings of the generator fail."""
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(openapi_document()))
    settings = tmp_path / "generator.yaml"
    # The generator knows no pictures and no JSON Lines; it treats them as the bytes they are.
    unknown = "".join(
        f"  {kind}: application/octet-stream\n" for kind in ("image/png", "image/jpeg", "application/jsonl")
    )
    settings.write_text(
        f"post_hooks: []\npackage_name_override: tenfold_client\ncontent_type_overrides:\n{unknown}"
    )
    subprocess.run(
        [
            *(GENERATOR, "generate", "--meta", "none", "--fail-on-warning"),
            *("--path", document, "--config", settings, "--output-path", tmp_path / "tenfold_client"),
        ],
        check=True,
        timeout=120,
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "tenfold_client"
    for name in [name for name in sys.modules if name.split(".")[0] == "tenfold_client"]:
        del sys.modules[name]


async def test_a_generated_client_calls_the_api(
    context: AppContext, brand: Brand, shop: Any, generated: str
) -> None:
    async with open_story(context, brand) as story:
        code = await story.promoter(an_order(1, NOW), delivered_at=NOW, asked_at=NOW + timedelta(days=3))
    async with context.sessions.begin() as session:
        key = await add_key(session, brand.id, list(Scope), actor=cli_actor(brand.id))
    package = importlib.import_module(generated)
    models = importlib.import_module(f"{generated}.models")

    async with (
        served(whole_app(context)) as url,
        package.AuthenticatedClient(base_url=url, token=key) as client,
    ):

        async def call(tag: str, operation: str, *ids: str, **more: Any) -> Any:
            module = importlib.import_module(f"{generated}.api.{tag}.{operation}")
            return await module.asyncio(*ids, client=client, **more)

        shown = await call("brand", "show_brand")
        assert shown.slug == brand.slug
        changed = await call(
            "brand", "change_brand", body=models.BrandChange(name="Acme & Co"), idempotency_key="once"
        )
        assert changed.name == "Acme & Co"
        assert [each.slug for each in (await call("brand", "list_shops")).data] == ["acme"]
        assert (await call("brand", "show_programme")).survey.delay_hours == 72
        (customer,) = (await call("people", "list_customers", email="ana@example.com")).data
        detail = await call("people", "show_customer", customer.id)
        assert detail.timeline
        (order,) = (await call("surveys", "list_orders", customer=customer.id)).data
        assert (order.customer, order.total) == (customer.id, "80.00")
        page = await call("deliveries", "list_deliveries", limit=1)
        assert (len(page.data), bool(page.next_cursor)) == (1, True)
        (response,) = (await call("surveys", "list_responses", band=models.Band.PROMOTER)).data
        assert response.score == 9
        (found,) = (await call("codes", "list_codes", code=code)).data
        assert found.code == code
        checked = await call(
            "checkout",
            "validate_code",
            body=models.BasketBody(
                code=code,
                customer=models.CustomerBody(email="leo@example.com"),
                order=models.BasketOrderBody(subtotal="80.00", currency="EUR"),
            ),
        )
        assert (checked.valid, checked.amount_off) == (True, "8.00")
        redeemed = await call(
            "checkout",
            "redeem_code",
            body=models.PurchaseBody(
                code=code,
                order=models.OrderBody(
                    id="2",
                    currency="EUR",
                    subtotal="80.00",
                    total="72.00",
                    customer=models.CustomerBody(email="leo@example.com"),
                ),
            ),
        )
        assert (redeemed.code, redeemed.amount_off) == (code, "8.00")
        report = await call("numbers", "show_nps")
        assert (report.responses, report.nps) == (1, 100.0)
        missing = await call("people", "show_customer", "cus_0")
        assert isinstance(missing, models.Problem)
        assert (missing.status, missing.code) == (404, "not_found")
