"""The recipes of docs/shopify.md as they stand: an extension, run by Node, and Liquid for mails."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import liquid
import pytest

from tests.support.constants import PROJECT

DOCS = (PROJECT / "docs" / "shopify.md").read_text(encoding="utf-8")
PREACT = """
export const h = (name, given, ...children) => [name, given ?? {}, ...children];
export const render = (tree, body) => { body.tree = tree; };
"""
ORDER = "gid://shopify/OrderIdentity/7000000000000000118"
PAID = {"orderConfirmation": {"value": {"order": {"id": ORDER}, "number": "XPAV284CT"}}}
STATUS = {
    "order": {"value": {"id": ORDER.replace("OrderIdentity", "Order"), "confirmationNumber": "XPAV284CT"}}
}
NOTHING = {"share_url": None, "survey_url": None}
SHARE = {"share_url": "https://nps.example/r/a", "discount": "10%", "disclosure": "Ad."}
SURVEY = {"survey_url": "https://nps.example/s/a"}


@pytest.fixture
def extension(tmp_path: Path) -> Path:
    """The folder of the extension, with stand-ins for the packages that Shopify bundles."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    sources = re.findall(r"`src/(\w+\.js)`[^`]*```js\n(.*?)```", DOCS, re.DOTALL)
    assert [name for name, _ in sources] == ["links.js", "ThankYou.js", "OrderStatus.js"]
    files = {f"src/{name}": source for name, source in sources} | {
        "package.json": '{"type": "module"}',
        "node_modules/preact/package.json": '{"type": "module", "exports": "./index.js"}',
        "node_modules/preact/index.js": PREACT,
        "node_modules/@shopify/ui-extensions/package.json": '{"type": "module", "exports": {"./preact": "./preact.js"}}',
        "node_modules/@shopify/ui-extensions/preact.js": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def show(extension: Path, block: str, values: dict[str, Any], *answers: object) -> dict[str, Any]:
    """What the block renders and asks for; an answer is a body, a status, or None (no network)."""
    given = [
        answer
        if answer is None
        else {"status": answer, "body": {}}
        if isinstance(answer, int)
        else {"status": 200, "body": answer}
        for answer in answers
    ]
    command = ["node", PROJECT / "tests/support/shopify_page.mjs", extension / "src" / block]
    done = subprocess.run(
        [*command, json.dumps(values), json.dumps(given)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def texts(rendered: Any) -> list[str]:
    """The texts of what is rendered, and where its links lead."""
    if isinstance(rendered, str):
        return [rendered]
    name, given, *children = rendered
    found = [text for child in children for text in texts(child)]
    return [*found, given["href"]] if name == "s-link" else found


def test_the_thank_you_page_waits_for_the_order_and_shows_the_share_link(extension):
    seen = show(extension, "ThankYou.js", PAID, 401, NOTHING, SHARE)
    assert texts(seen["rendered"]) == [
        "Ad. 10% off for your friends:",
        SHARE["share_url"],
        SHARE["share_url"],
    ]
    address = "https://tenfold.example/links/acme?order=7000000000000000118&confirmation=XPAV284CT"
    assert seen["asked"] == [[address, "Bearer token"]] * 3


@pytest.mark.parametrize("answers", [[NOTHING], [None], [500], [SURVEY]])
def test_the_thank_you_page_shows_nothing_else(extension, answers):
    assert show(extension, "ThankYou.js", PAID, *answers)["rendered"] is None


def test_the_orders_page_shows_the_survey_before_the_share_link(extension):
    seen = show(extension, "OrderStatus.js", STATUS, SHARE | SURVEY)
    assert texts(seen["rendered"]) == ["How was it?", "Answer one question", SURVEY["survey_url"]]
    assert texts(show(extension, "OrderStatus.js", STATUS, SHARE)["rendered"])[-1] == SHARE["share_url"]
    seen = show(extension, "OrderStatus.js", STATUS, NOTHING)
    assert (seen["rendered"], len(seen["asked"])) == (None, 1)
    seen = show(extension, "OrderStatus.js", {"order": {}}, NOTHING)
    assert (seen["rendered"], seen["asked"]) == (None, [])


def test_the_extension_has_both_targets_and_may_call_us():
    (source,) = (
        each for each in re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL) if "[[extensions]]" in each
    )
    (given,) = tomllib.loads(source)["extensions"]
    assert {each["target"]: each["module"] for each in given["targeting"]} == {
        "purchase.thank-you.block.render": "./src/ThankYou.js",
        "customer-account.order-status.block.render": "./src/OrderStatus.js",
    }
    assert given["capabilities"] == {"network_access": True}


def test_the_line_in_an_order_mail_leads_to_the_order_of_who_has_bought_before():
    (source,) = re.findall(r"```liquid\n(.*?)```", DOCS, re.DOTALL)
    template = liquid.parse(source)
    values = {"id": 118, "confirmation_number": "XPAV284CT", "shop": {"name": "Acme"}}
    mail = template.render(**values, customer={"orders_count": 2})
    assert 'href="https://tenfold.example/o/acme?order=118&amp;confirmation=XPAV284CT"' in mail
    assert template.render(**values, customer={"orders_count": 1}).strip() == ""
