"""Pages hold no text that a catalog could not translate."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment

from app.base.paths import ROOT
from app.base.templates import EXTENSIONS

PAGES = ROOT / "templates" / "web"
SAME_EVERYWHERE = {"docs.html", "gallery.html"}
"""The API's own page: English, as the API is. Samples of components, shown in development alone."""
NAMES = {"WhatsApp", "Tenfold", "UTC"}
_BODY_CLASS = re.compile(r"{% block body_class %}\w*{% endblock %}")
_READ_ALOUD = re.compile(r"""\b(?:aria-label|title|alt|placeholder|data-copied|data-failed)="([^"]*)""")
_WORD = re.compile(r"[^\W\d_]{2,}")


def untranslated(source: str) -> list[str]:
    """The words of a template that stand outside of `_()` and `{% trans %}`."""
    visible, in_trans = [], False
    environment = Environment(extensions=EXTENSIONS, autoescape=True)
    tokens = [(kind, value) for _, kind, value in environment.lex(_BODY_CLASS.sub("", source))]
    for place, (kind, value) in enumerate(tokens):
        if kind == "name" and value in ("trans", "endtrans") and tokens[place - 2][0] == "block_begin":
            in_trans = value == "trans"
        # A placeholder for every expression keeps tags and attributes whole.
        visible.append(value if kind == "data" and not in_trans else "")
    markup = re.sub(r"<!--.*?-->|<code>.*?</code>", "", "".join(visible), flags=re.DOTALL)
    texts = [re.sub(r"<[^>]*>", " ", markup), *_READ_ALOUD.findall(markup)]
    return [
        word for text in texts for word in _WORD.findall(re.sub(r"&\w+;", " ", text)) if word not in NAMES
    ]


@pytest.mark.parametrize(
    "path",
    sorted(path for path in PAGES.rglob("*.html") if path.name not in SAME_EVERYWHERE),
    ids=lambda path: path.name,
)
def test_every_text_of_a_page_can_be_translated(path: Path):
    assert untranslated(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>{{ _('Hello') }}</p>", []),
        ("<p>{% trans name %}Hello {{ name }}{% endtrans %}</p>", []),
        ("<p>{%- trans name -%}Hello {{ name }}{%- endtrans -%} you</p>", ["you"]),
        ("<p>Hello {{ name }}</p>", ["Hello"]),
        ('<nav aria-label="Menu"></nav>', ["Menu"]),
        ("<nav aria-label=\"{{ _('Menu') }}\"></nav>", []),
    ],
)
def test_the_check_sees_bare_words(source: str, found: list[str]):
    assert untranslated(source) == found
