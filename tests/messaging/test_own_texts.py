"""Texts that brands write themselves: what is refused, and how the others are shown."""

from dataclasses import replace
from itertools import combinations

import pytest

from app.base.i18n import languages, translations, variants
from app.brands.programme import Channel
from app.messaging.gsm import Segments, count_segments
from app.messaging.own_texts import replaced_texts
from app.messaging.render import render, render_skeleton
from app.messaging.sources import translatable
from app.messaging.templates import TemplateSpec, customer_templates
from app.messaging.text_rules import TextBlock, as_block, find_problem
from app.messaging.versions import VersionContent, template_parts
from app.referrals.templates import OFFER
from app.surveys.templates import SURVEY
from tests.support.rendering import LINKS, LOOK, Item, item

BLOCK = TextBlock("sms", Channel.sms, ("x",), ("brand", "survey_link"), ("shop",), limit=70)
SPECS = pytest.mark.parametrize("spec", customer_templates(), ids=lambda spec: spec.name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{brand}: {survey_link}", None),
        ("{brand} & {shop}: 5 % auf alles, z.B. €! {survey_link}", None),
        ("{brand}: acme.example https://www.acme.example/de {survey_link}", None),
        ("  ", "is empty"),
        ("{brand} {survey_link}" + "x" * 70, "may have 70"),
        ("{brand}\n{survey_link}", "line break"),
        ("{brand}\t{survey_link}", "line break"),
        ("{brand}\u202e {survey_link}", "cannot be seen"),
        ("{brand} {survey_link} {", "brace"),
        ("{{brand}} {survey_link}", "brace"),
        ("{% if brand %} {survey_link}", "brace"),
        ("{brand.__class__} {survey_link}", "brace"),
        ("{Brand} {survey_link}", "brace"),
        (
            "{brand} {survey_link} {code}",
            "no variable {code}; its variables are {brand}, {survey_link}, {shop}",
        ),
        ("{brand}: hello", "lacks {survey_link}"),
        ("{brand} <b>{survey_link}</b>", "HTML"),
        ("{brand} &lt;b {survey_link}", "HTML"),
        ("{brand} {survey_link} https://evil.example", "evil.example"),
        ("{brand} {survey_link} https://acme.example@evil.test/", "evil.test"),
        ("{brand} {survey_link} https://[x", "https://[x"),
        ("{brand} {survey_link} www.evil.co", "www.evil.co"),
        ("{brand} {survey_link} evil.shop/x", "evil.shop"),
        ("{brand} {survey_link} me@evil.shop", "evil.shop"),
        ("{brand} {survey_link} notacme.example", "notacme.example"),
        ("{brand} {survey_link} javascript://acme.example", "acme.example"),
        ("{brand} {survey_link} Danke.Bis bald", "a space after the full stop"),
    ],
)
def test_a_text_is_refused_in_a_sentence_that_names_the_block(text: str, words: str | None) -> None:
    problem = find_problem(BLOCK, text, ["acme.example"])
    if words is None:
        assert problem is None
    else:
        assert problem is not None
        assert problem.startswith("The block sms ")
        assert words in problem


@SPECS
def test_every_block_stands_for_texts_of_its_channel_and_can_be_put_back(spec: TemplateSpec) -> None:
    names = [block.name for block in spec.blocks]
    assert len(names) == len(set(names))
    assert {block.channel for block in spec.blocks} == spec.channels
    for block in spec.blocks:
        sources = template_parts(spec.name, block.channel).values()
        assert set(block.replaces) <= {text for source in sources for text in translatable(source)}
        for language in (*languages(), *variants()):
            default = as_block(translations(language).gettext(block.replaces[0]))
            assert find_problem(block, default, []) is None, default


def with_blocks(spec: TemplateSpec, channel: Channel, blocks: dict[str, str], params: object = None) -> Item:
    one = item(spec, channel, params)
    return replace(one, version=replace(one.version, texts=dict(replaced_texts(spec, channel, blocks))))


_CHOICES = {"reward": [{"kind": "credit", "spent_in": "account"}]}
"""Parameters by which a template has blocks that its sample does not show."""


@SPECS
def test_every_variable_of_a_block_has_a_value_wherever_the_block_is_shown(spec: TemplateSpec) -> None:
    blocks = {
        block.name: " ".join(f"[{block.name}.{name}={{{name}}}]" for name in block.variables)
        for block in spec.blocks
    }
    optional = [each.name for each in spec.param_list if each.optional]
    shown = ""
    for size in range(len(optional) + 1):
        for absent in map(set, combinations(optional, size)):
            for chosen in ({}, *_CHOICES.get(spec.name, ())):
                params = replace(spec.sample, **chosen, **dict.fromkeys(absent - chosen.keys()))
                for channel in spec.channels:
                    one = with_blocks(spec, channel, blocks, params)
                    content = render(one.version, one, LINKS)
                    shown += content.subject + content.text + content.html
    assert "=]" not in shown
    for block in spec.blocks:
        assert all(f"[{block.name}.{name}=" in shown for name in block.variables), block.name


def test_words_and_values_are_escaped_in_html_and_as_written_elsewhere() -> None:
    look = replace(LOOK, brand="A&B <Co>")
    one = item(OFFER, Channel.email, replace(OFFER.sample, discount="<i>10%</i>"), look=look)
    blocks = {"heading": '100 % "für" {brand} & dich: {discount} {% %(x)s', "subject": "{brand}: {code}"}
    one = replace(one, version=replace(one.version, texts=dict(replaced_texts(OFFER, Channel.email, blocks))))
    content = render(one.version, one, LINKS)
    assert content.subject == "A&B <Co>: ANA-7K4QX"
    assert '100 % "für" A&B <Co> & dich: <i>10%</i> {% %(x)s' in content.text
    assert (
        "100 % &#34;für&#34; A&amp;B &lt;Co&gt; &amp; dich: &lt;i&gt;10%&lt;/i&gt; {% %(x)s" in content.html
    )


def test_a_batch_has_tags_in_a_brands_text_as_in_ours() -> None:
    one = with_blocks(SURVEY, Channel.sms, {"sms": "{brand}! {survey_link}"})
    content, tags = render_skeleton(one.version, one.template_params)
    (tag,) = [tag for tag, (name, _) in tags.items() if name == "survey_link"]
    assert content.text == f"Acme Goods! {tag} Reply STOP to stop."


def test_a_version_with_own_texts_is_another_one_and_is_the_same_after_it_was_stored() -> None:
    one = with_blocks(SURVEY, Channel.sms, {"sms": "{brand}! {survey_link}"}).version
    assert one.id != item(SURVEY, Channel.sms).version.id
    assert VersionContent.from_json(one.to_json()).id == one.id


def test_a_version_from_before_there_were_own_texts_is_read() -> None:
    stored = item(SURVEY, Channel.sms).version.to_json()
    del stored["texts"]
    assert VersionContent.from_json(stored).texts == {}


@pytest.mark.parametrize(
    ("text", "count", "encoding"),
    [
        ("", 1, "gsm7"),
        ("ä" * 160, 1, "gsm7"),
        ("ä" * 161, 2, "gsm7"),
        ("€" * 80, 1, "gsm7"),
        ("€" * 81, 2, "gsm7"),
        ("x" * 152 + "€" * 77 + "x", 3, "gsm7"),
        ("x" * 306, 2, "gsm7"),
        ("x" * 307, 3, "gsm7"),
        ("“" + "x" * 69, 1, "ucs2"),
        ("“" + "x" * 70, 2, "ucs2"),
        ("😀" * 35, 1, "ucs2"),
        ("😀" * 67, 3, "ucs2"),
    ],
)
def test_parts_of_a_text_are_counted_as_a_provider_counts_them(text: str, count: int, encoding: str) -> None:
    assert count_segments(text) == Segments(count, encoding)
