"""Rendering: every template renders with its sample, and no value breaks out of its place."""

import re
import runpy
from dataclasses import replace
from email.headerregistry import HeaderRegistry
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from app.base.paths import ROOT
from app.base.text import one_line
from app.base.tokens import Tokens
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.names import shown_name
from app.messaging.providers.protocol import Content
from app.messaging.render import Links, fill, recipient_values, render_skeleton
from app.messaging.templates import TemplateSpec, customer_templates, read_params, registered, stored_params
from app.messaging.versions import VersionContent, branding_of
from app.referrals.templates import OFFER, REWARD, OfferParams, RewardParams
from app.surveys.templates import REMINDER, SURVEY, SurveyParams
from tests.support.constants import GSM, REFERRER_ID
from tests.support.rendering import LINKS, LOOK, item, rendered

SIGNS = GSM | {"€"}
"""With the sign of GSM's extension that amounts have, two septets."""

HOSTILE = [
    "<b>Ana</b>",
    "{{ survey_link }}",
    "{% raw %}",
    "\"'><script>alert(1)</script>",
    "&lt;",
    "אנה",
    "آنا",
    "👩‍👩‍👧 Ana 🎉",
    r"\1 \g<0> $1",
    "-first_name-",
    "%s {0} ${x}",
    "Ana\nBcc: all@example.com",
]


class Reader(HTMLParser):
    """Collects what a page leads to, loads, and says."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "href" and value:
                (self.hrefs if tag == "a" else self.loads).append(value)
            if name in ("src", "background", "poster", "srcset") and value:
                self.loads.append(value)

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.text += data


def read(html: str) -> Reader:
    parser = Reader()
    parser.feed(html)
    return parser


@pytest.mark.parametrize("template", registered(), ids=lambda spec: spec.name)
def test_every_mail_renders_with_its_sample(template: TemplateSpec) -> None:
    filled = rendered(item(template, Channel.email))
    assert "\n" not in filled.subject
    assert len(filled.html.encode()) <= 20 * 1024
    page = read(filled.html)
    assert page.loads == [], "a mail loads nothing from anywhere"
    assert "script" not in page.tags
    assert not re.search(r"@import|url\(", filled.html)
    for text in (filled.text, page.text):
        assert "Acme Goods, 1 Main St, Berlin" in text
        assert "You get this because" in text
        assert "{{" not in text
    assert set(page.hrefs) <= set(re.findall(r"https?://\S+", filled.text)), "the text part has every link"
    may_stop = any(href.startswith("https://nps.example.com/u/") for href in page.hrefs)
    assert may_stop is not template.to_staff, "staff have nothing to unsubscribe from"
    assert "en" in re.findall(r'<html lang="(\w+)"', filled.html)


@pytest.mark.parametrize("template", registered(), ids=lambda spec: spec.name)
def test_every_mail_links_to_the_brands_legal_pages(template: TemplateSpec) -> None:
    urls = {f"{name}_url": f"https://acme.example/{name}" for name in ("privacy", "terms", "imprint")}
    filled = rendered(item(template, Channel.email, template.sample, look=replace(LOOK, **urls)))
    assert set(urls.values()) <= set(read(filled.html).hrefs)
    assert all(url in filled.text for url in urls.values())
    plain = rendered(item(template, Channel.email, template.sample))
    assert "Imprint" not in plain.html + plain.text


@pytest.mark.parametrize("template", customer_templates(), ids=lambda spec: spec.name)
def test_every_mail_renders_without_what_may_be_missing(template: TemplateSpec) -> None:
    absent = {param.name: None for param in template.param_list if param.optional}
    params = replace(template.sample, **absent)
    filled = rendered(item(template, Channel.email, params, look=replace(LOOK, postal_address="")))
    for text in (filled.subject, filled.text, read(filled.html).text):
        assert "None" not in text
        assert "  ," not in text
    assert "Hello," in filled.text
    assert rendered(item(template, Channel.sms, params)).text


@pytest.mark.parametrize("template", customer_templates(), ids=lambda spec: spec.name)
def test_every_text_is_short_and_explains_how_to_stop(template: TemplateSpec) -> None:
    text = rendered(item(template, Channel.sms)).text
    assert text.startswith("Acme Goods: ")
    assert text.endswith("Reply STOP to stop.")
    assert set(text) <= SIGNS, "one character outside GSM 03.38 makes every segment less than half as long"
    assert len(text) <= 306, "two segments of 153 septets"


@pytest.mark.parametrize("template", [SURVEY, REMINDER])
def test_the_survey_links_to_eleven_scores_and_names_no_reward(template: TemplateSpec) -> None:
    filled = rendered(item(template, Channel.email))
    page = read(filled.html)
    keys = [href for href in page.hrefs if "/s/" in href]
    assert [href.rsplit("=", 1)[1] for href in keys] == [str(score) for score in range(11)]
    assert len({href.split("?")[0] for href in keys}) == 1
    assert "How likely are you to recommend Acme Goods to a friend?" in page.text
    assert "0 = not at all likely" in page.text
    assert "10 = extremely likely" in page.text
    for text in (
        filled.subject,
        filled.text,
        page.text,
        rendered(item(template, Channel.sms)).text,
    ):
        assert not re.search(r"reward|discount|code|%|off\b|gift|earn|EUR", text, re.IGNORECASE)


def test_the_offer_names_both_benefits_and_asks_for_disclosure() -> None:
    filled = rendered(item(OFFER, Channel.email))
    for text in (filled.text, read(filled.html).text):
        assert "ANA-7K4QX" in text
        assert "10% off" in text
        assert "You get €10 for each friend" in text
        assert "please say that you get €10" in text
        assert "https://nps.example.com/r/27k4qx9wm" in text
        assert "1\u00a0September 2026" in text
    assert "https://nps.example.com/p/" in filled.text


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_out_of_its_place(name: str) -> None:
    template_params = SurveyParams(name, name, name, "2026-03-03")
    plain, greeted = one_line(name, ellipsis=True), shown_name(name)
    filled = rendered(item(SURVEY, Channel.email, template_params))
    usual = rendered(item(SURVEY, Channel.email))
    page = read(filled.html)
    assert page.tags == read(usual.html).tags, "no tag came in with the name"
    assert page.hrefs == read(usual.html).hrefs
    greeting = f"Hi {greeted}," if greeted else "Hello,"
    assert greeting in page.text
    assert greeting in filled.text
    assert f"(order {plain})" in page.text


def test_a_name_that_is_a_tag_of_another_batch_or_of_this_one_stays_a_name() -> None:
    one = item(SURVEY, Channel.email)
    first, first_tags = render_skeleton(one.version, one.template_params)
    tag = next(
        tag for tag, (name, escaped) in first_tags.items() if name == "unsubscribe_link" and not escaped
    )
    named = item(SURVEY, Channel.email, replace(SURVEY.sample, order_number=tag))
    other, other_tags = render_skeleton(named.version, named.template_params)
    assert not set(first_tags) & set(other_tags), "tags are drawn anew for every batch"
    values = recipient_values(other_tags, named.version, named, LINKS)
    assert f"(order {tag})" in fill(other, values).text
    values = recipient_values(first_tags, named.version, named, LINKS)
    assert f"(order {tag})" in fill(first, values).text, "filled in one pass"


def test_a_line_break_in_a_name_or_brand_begins_no_header() -> None:
    brand = Brand(
        id=1, slug="a", name="Acme\r\nBcc: all@example.com", postal_address="1 Main St\nBerlin", branding={}
    )
    branding = branding_of(brand, Shop(name="Acme\nX: y"), "https://nps.example")
    assert branding.postal_address == "1 Main St, Berlin"
    offer = replace(OFFER.sample, code="A\r\nB: c", first_name="A\r\nBcc: b@example.com")
    filled = rendered(item(OFFER, Channel.email, offer, look=branding))
    assert not re.search(r"[\r\n]", filled.subject)
    assert HeaderRegistry()("Subject", filled.subject).defects == ()


@pytest.mark.parametrize(
    "name", ["http://evil.example", "www.evil.example", "evil.example/x", "win at evil.io", "a@b.c"]
)
def test_no_greeting_contains_a_web_address(name: str) -> None:
    filled = rendered(item(SURVEY, Channel.email, replace(SURVEY.sample, first_name=name)))
    assert "evil" not in filled.text
    assert "Hello," in filled.text


@pytest.mark.parametrize("name", ["Ana", "J. R. R.", "Ana-Lena O'Neil", "Şükrü", "D'Arcy St. John", "李小龍"])
def test_people_are_greeted_by_their_names(name: str) -> None:
    filled = rendered(item(SURVEY, Channel.email, replace(SURVEY.sample, first_name=name)))
    assert f"Hi {name}," in filled.text


@pytest.mark.parametrize(
    ("values", "is_told"),
    [({"spent_in": "account"}, True), ({}, False), ({"code": "K7QX4M9WPA", "kind": "code"}, False)],
)
def test_who_has_store_credit_is_told_where_it_is_spent(values: dict[str, str], is_told: bool) -> None:
    params = replace(REWARD.sample, **{"code": None, "kind": "credit", **values})
    mail = rendered(item(REWARD, Channel.email, params))
    for text in (mail.text, mail.html):
        found = "taken off at the checkout of" in text and "signed in there with this e-mail address" in text
        assert found is is_told
    told = (
        "taken off at the checkout when you are signed in" in rendered(item(REWARD, Channel.sms, params)).text
    )
    assert told is is_told


@pytest.mark.parametrize("name", ["null", "N/A", "-", "Guest", "Kunde", "Call 0900 123"])
def test_a_placeholder_is_greeted_without_a_name(name: str) -> None:
    filled = rendered(item(SURVEY, Channel.email, replace(SURVEY.sample, first_name=name)))
    assert filled.text.startswith("Hello,")


@pytest.mark.parametrize("spec", [SURVEY, OFFER], ids=lambda spec: spec.name)
def test_a_text_with_a_typographic_brand_stays_in_the_gsm_alphabet(spec: TemplateSpec) -> None:
    brand = Brand(id=1, slug="a", name="Müller’s Café – Köln", postal_address="", branding={})
    look = branding_of(brand, Shop(name="“Köln”"), "https://nps.example")
    text = rendered(item(spec, Channel.sms, look=look)).text
    assert "Müller's Café - Köln" in text
    assert set(text) <= SIGNS


def test_values_stay_below_what_a_provider_substitutes() -> None:
    long = "&👩" * 5_000
    survey = item(SURVEY, Channel.email, SurveyParams(long, long, long, long))
    offer = item(OFFER, Channel.email, OfferParams(long, long, long, long, long, long, long, REFERRER_ID))
    reward = item(REWARD, Channel.email, RewardParams(long, long, long, long, long, REFERRER_ID))
    for one in (survey, offer, reward):
        _, tags = render_skeleton(one.version, one.template_params)
        values = recipient_values(tags, one.version, one, LINKS)
        assert sum(len(tag.encode()) + len(value.encode()) for tag, value in values.items()) < 10_000


def test_masked_links_open_nothing() -> None:
    """A reply by text has no link; what is mailed to staff leads behind the sign-in."""
    masked = Links(Tokens("a key for tests alone, of no worth"), "https://nps.example.com", 1, masked=True)
    for template in registered():
        for channel in template.channels:
            filled = rendered(item(template, channel), masked)
            found = re.findall(r"/(?:[sup]|login)/([^\s\"?<]+)", filled.text + filled.html)
            is_open = (template.name, channel) == ("reply", Channel.sms) or template.name in (
                "alarm",
                "digest",
            )
            assert set(found) == (set() if is_open else {"•••"})


def test_dates_are_written_as_the_reader_writes_them() -> None:
    def text(locale: str) -> str:
        return rendered(item(SURVEY, Channel.email, locale=locale)).text

    assert "on 3\u00a0March 2026" in text("en-GB")
    assert "on 3\u00a0March 2026" in text("en")
    assert "on March\u00a03, 2026" in text("en-US")
    assert "on 3\u00a0March 2026" in text("xx"), (
        "a language without a catalog falls back to English as a whole"
    )
    assert "on 3\u00a0March 2026" in text("no such locale")


def test_parameters_after_an_erasure_are_none() -> None:
    assert read_params(SURVEY, {}) is None
    stored = stored_params(SURVEY, SURVEY.sample)
    assert read_params(SURVEY, {**stored, "of_a_former_version": "x"}) == stored
    del stored["item_title"]
    assert read_params(SURVEY, stored) == {**stored, "item_title": None}
    offer = stored_params(OFFER, OFFER.sample)
    del offer["slug"]
    assert read_params(OFFER, offer) is None


def test_filling_in_no_values_changes_nothing() -> None:
    assert fill(Content("text", "subject"), {}).text == "text"


def test_only_a_colour_gets_into_a_style() -> None:
    red, odd = (
        branding_of(
            Brand(name="A", postal_address="", branding={"accent": accent}),
            Shop(name="A"),
            "https://nps.example",
        )
        for accent in ("#AA0000", "red;} body{display:none")
    )
    assert (red.accent, red.accent_ink) == ("#aa0000", "#fdf9f8")
    assert (odd.accent, odd.accent_ink) == ("#0f5fa8", "#f8fafd")


WORDMARK = {"file": "a.png", "width": 300, "height": 80}
MARK = {"file": "b.png", "width": 96, "height": 96}


@pytest.mark.parametrize(
    ("branding", "shown", "absent"),
    [
        ({}, ['font-weight:600;color:#f8fafd;">Acme Goods</td>', "Roboto"], "<img"),
        (
            {"accent": "#ffcc00", "heading": "serif", "logo": WORDMARK},
            [
                'src="https://nps.example/media/1/a.png" width="150" height="40" alt="Acme Goods"',
                "background-color:#ffffff",
                "h1 { margin: 0; font-family: ui-serif, New York, Georgia",
                "color: #1e1500",
            ],
            'class="name"',
        ),
        (
            {"accent": "#0a1f44", "logo": MARK, "logo_dark": MARK | {"file": "c.png"}},
            [
                '/media/1/c.png" width="40" height="40" alt=""',
                ">Acme Goods</td>",
                "background-color:transparent",
            ],
            "/media/1/b.png",
        ),
    ],
    ids=["name", "wordmark", "dark-mark"],
)
def test_a_mail_has_the_brands_colours_face_and_logo_and_always_its_name(branding, shown, absent) -> None:
    brand = Brand(id=1, slug="a", name="Acme Goods", locale="en", postal_address="", branding=branding)
    look = branding_of(brand, Shop(name="Acme"), "https://nps.example")
    html = rendered(item(OFFER, Channel.email, look=look)).html
    for part in shown:
        assert part in html, part
    assert absent not in html
    assert html.count('class="code"') == 1
    stored = item(OFFER, Channel.email, look=look).version
    assert VersionContent.from_json(orjson.loads(orjson.dumps(stored.to_json()))).id == stored.id


def test_compiled_mails_are_up_to_date() -> None:
    build = runpy.run_path(str(ROOT / "templates/emails/build.py"))
    sources = build["sources"]()
    assert len(sources) >= 9
    for source in sources:
        compiled = Path(source).with_name("body.html").read_text()
        assert compiled == build["compile_template"](source), (
            f"run `python templates/emails/build.py`: {source} is newer"
        )
