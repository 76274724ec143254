"""Programme, Look: colour, words, links and images, beside the pages that have them."""

import html
import re
from io import BytesIO

from PIL import Image

from app.admin.rules import Role
from app.base.actor import cli_actor
from app.brands.appearance import own_text
from app.brands.change import change_brand
from app.brands.colour_rules import check_colour
from app.brands.find import load_brand
from app.brands.models import Brand
from app.brands.rules import TextKind
from tests.support.dashboard import sign_in_as
from tests.support.forms import form_token

LOOK = "/admin/programme/look?language=de"


async def form_of(client, path=LOOK):
    text = (await client.get(path)).text
    shown = html.unescape(re.findall(r'name="shown" value="([^"]*)"', text)[0])
    return {"csrf": form_token(text), "shown": shown}


async def framed(client, text, kind, scheme="light"):
    """A page in a frame of the screen."""
    found = re.findall(rf'src="([^"]+/frame/{kind}\?[^"]*scheme={scheme}[^"]*)"', text)
    return await client.get(html.unescape(found[0]))


async def test_a_look_is_previewed_and_saved_without_losing_what_others_changed(
    context, brand, shop, session, client
):
    await sign_in_as(client, context, brand, Role.marketer)
    sent = await form_of(client)
    entered = {"accent": "#ffcc00", "heading": "serif", "greeting": "schön, dass Sie da sind. Eine Frage:"}
    shown = await client.post(LOOK, data=sent | entered | {"act": "preview"})
    assert shown.status_code == 200
    assert "3 changes, not saved." in shown.text
    assert "they are written in #" in shown.text, "yellow on white cannot be read"
    survey = await framed(client, shown.text, "survey")
    assert "schön, dass Sie da sind. Eine Frage:" in survey.text
    assert "--display:var(--serif)" in survey.text
    assert "--brand:#ffcc00" in survey.text
    assert "script" not in survey.text
    assert "form-action 'none'" in survey.headers["content-security-policy"]
    assert survey.headers["content-security-policy"].endswith("sandbox")
    dark = (await framed(client, shown.text, "survey", "dark")).text
    assert "prefers-color-scheme" not in dark
    assert 'content="dark"' in dark
    thanks = (await framed(client, shown.text, "thanks")).text
    assert "7K4QX9WMPA" in thanks
    assert "Ana" in (await framed(client, shown.text, "friend")).text
    assert "#ffcc00" in (await framed(client, shown.text, "mail")).text
    assert (await load_brand(session, brand.id)).branding == {}

    nearest = re.findall(r'name="nearest" value="([^"]+)"', shown.text)[0]
    taken = await client.post(LOOK, data=sent | entered | {"act": "nearest", "nearest": nearest})
    assert f'value="{nearest}"' in taken.text
    assert "Words in it have a contrast of " in taken.text

    actor = cli_actor(brand.id)
    await change_brand(
        session, brand.id, {"branding": {"noun": "your first bag", "thanks": "Thank you!"}}, actor=actor
    )
    await session.commit()
    assert (await client.post(LOOK, data=sent | entered)).status_code == 303
    saved = await load_brand(session, brand.id)
    await session.refresh(saved)
    assert saved.branding == {
        "accent": "#ffcc00",
        "heading": "serif",
        "greeting": {"de": "schön, dass Sie da sind. Eine Frage:"},
        "noun": "your first bag",
        "thanks": "Thank you!",
    }
    english = await form_of(client, "/admin/programme/look?language=en")
    both = {"thanks": "Thanks a lot!", "greeting": "one question:"}
    sent = await form_of(client)
    assert (await client.post("/admin/programme/look?language=en", data=english | both)).status_code == 303
    assert (await client.post(LOOK, data=sent | {"thanks": "Danke!"})).status_code == 303
    await session.refresh(saved)
    assert saved.branding["thanks"] == {"en": "Thanks a lot!", "de": "Danke!"}
    assert saved.branding["greeting"] == {
        "de": "schön, dass Sie da sind. Eine Frage:",
        "en": "one question:",
    }


async def test_what_cannot_be_is_refused_beside_its_field(context, brand, shop, session, client):
    await sign_in_as(client, context, brand, Role.marketer)
    sent = await form_of(client)
    for name, text, words in (
        ("accent", "blue", "Colour: The accent is no colour"),
        ("privacy_url", "javascript:alert(1)", "Privacy policy: Write a web address"),
        ("pitch", "x" * 241, "To a friend: It has at most 240 characters."),
    ):
        refused = await client.post(LOOK, data=sent | {name: text})
        assert refused.status_code == 422
        assert f'<a href="#{name}">{words}' in refused.text
    assert (await client.get("/admin/programme/look/frame/admin")).status_code == 404
    assert (await client.get(f"/admin/programme/look/frame/survey?draft={'x' * 40}")).status_code == 200


async def test_images_are_uploaded_and_removed(context, brand, shop, session, client):
    await sign_in_as(client, context, brand, Role.marketer)
    sent = {"csrf": (await form_of(client))["csrf"]}
    drawn = BytesIO()
    Image.new("RGB", (200, 60), "#7a3b00").save(drawn, "PNG")
    logo = "/admin/programme/look/images/logo"
    none = await client.post(logo, data=sent)
    assert none.status_code == 303
    assert "Choose a file first." in (await client.get(LOOK)).text
    broken = {"file": ("logo.png", b"no image", "image/png")}
    await client.post(logo, data=sent, files=broken)
    assert "This is no PNG or JPEG" in (await client.get(LOOK)).text
    await client.post(logo, data=sent, files={"file": ("logo.png", drawn.getvalue(), "image/png")})
    text = (await client.get(LOOK)).text
    assert '<img class="logo" src="/media/' in text
    assert "/media/" in (await framed(client, text, "survey")).text
    await client.post(logo, data=sent | {"act": "remove"})
    assert '<img class="logo"' not in (await client.get(LOOK)).text
    assert (await client.post(f"{LOOK.split('?', maxsplit=1)[0]}/images/card", data=sent)).status_code == 404


def test_the_nearest_colour_can_be_read():
    for colour in ("ffcc00", "f2f2f2", "00a651", "7a3b00", "111111"):
        found = check_colour(colour)
        assert found.ink_contrast >= 4.5
        assert found.passes is (found.nearest == colour)
        assert check_colour(found.nearest).passes


def test_a_text_in_a_language_that_is_none_of_ours_is_shown_to_nobody():
    brand = Brand(locale="de", branding={"pitch": {"fr": "Des capes.", "de-AT": "Capes."}})
    assert own_text(brand, TextKind.pitch, "en") is None
    assert own_text(brand, TextKind.pitch, "de@informal") == "Capes."
