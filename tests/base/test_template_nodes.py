"""Templates that are simplified before they are compiled show what they would show otherwise."""

import pytest
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from app.base.templates import EXTENSIONS, make_environment

PARTS = {
    "part.html": "{% set name = name | default('-') %}<i>{{ name }}{{ more | default('') }}</i>",
    "outer.html": "{% include 'part.html' %}{% include 'part.html' %}",
    "macros.html": "{% macro shown(x) %}[{{ x }}]{% endmacro %}{{ shown(name) }}",
}
SOURCES = [
    "{{ _('5%% of %(name)s', name=name) }}{{ _('5%%') }}{{ _('<b>%(name)s</b> %(name)s', name=name) }}",
    "{% trans name %}Dear {{ name }},{% endtrans %} {% trans count=number, name %}one{% pluralize %}{{ count }} {{ name }}{% endtrans %}",
    "{% set said = name or _('nobody') %}{{ said }}{% set said = none or _('no<b>body') %}{{ said }}",
    "{% with label = _('%(give)s off', give=name) %}{{ label }}{{ label | length }}{% endwith %}",
    "{{ _(word) }}{{ gettext(word, number=number) }}{{ ngettext('%(num)s key', '%(num)s keys', number) }}",
    "{{ _('unused', name=missing | default(1)) }}{{ _('%(number)s, %(none)s', number=number, none=none) }}",
    "{% for n in range(4) %}<i{{ ' on' if n == number }}{% if n < number %} low{% endif %}>{{ n * 36 }}</i>{% endfor %}",
    "{% for n in range(3) %}{% set x = n %}{{ x }}{{ loop.index }}{% endfor %}{% for n in range(number) %}{{ n }}{% endfor %}",
    "{% for n in range(2) %}{% for m in range(2) %}{{ n }}{{ m }}{% endfor %}{% endfor %}",
    "{% for n in range(0) %}x{% else %}none{% endfor %}{% for n in range(4) if n > 1 %}{{ n }}{% endfor %}",
    "{% for n in range(2) %}{% include 'part.html' %}{% endfor %}",
    "{% include 'outer.html' %}{{ name }}{% with more = '!' %}{% include 'part.html' %}{% endwith %}",
    "{% include 'macros.html' %}{% include 'no.html' ignore missing %}",
    "{% set name = 'inner' %}{% include 'part.html' %}",
    "{% macro m(x, y=1) %}[{{ x }}{{ y }}{{ caller() if caller is defined }}]{% endmacro %}{% for n in range(number) %}{{ m(name, y=n) }}{{ m(n) | length }}{% endfor %}{% call m(name) %}{{ name }}<b>{% endcall %}",
    "{{ marked }}{{ marked ~ name }}{{ name.upper() }}{{ name | upper }}{{ number | string }}{{ true }}{{ 1.5 }}{{ none }}{{ [name, 1] }}{{ word.split() }}",
    "{% for each in [name, number, marked] %}{{ loop.index }}{{ loop.cycle('a', '<') }}{{ each }}{% endfor %}{% set kept %}{{ name }}{{ marked }}{% endset %}{{ kept }}{{ namespace(x=name).x }}",
    "{% block main %}{{ self.other() }}{% include 'part.html' %}{% endblock %}{% block other %}{{ _('%(n)s', n=name) }}{% endblock %}",
]
VALUES = {
    "name": "<Ana & Co>",
    "number": 2,
    "word": "5%% of %(number)s",
    "none": None,
    "marked": Markup("<i>"),
}


def _plain(*, autoescape: bool) -> Environment:
    """The environment with the same functions, and templates as the library compiles them."""
    environment = Environment(
        loader=DictLoader(PARTS),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=EXTENSIONS,
    )
    environment.newstyle_gettext = True
    environment.globals.update(make_environment("web", autoescape=autoescape).globals)
    return environment


@pytest.mark.parametrize("autoescape", [True, False])
@pytest.mark.parametrize("source", SOURCES)
def test_a_template_shows_what_it_would_show_otherwise(source, autoescape, monkeypatch):
    simplifying = make_environment("web", autoescape=autoescape).overlay(loader=DictLoader(PARTS))
    monkeypatch.setattr(simplifying.simplifier, "_environment", simplifying)
    values = VALUES | ({"word": "plain %(number)s"} if "_(word)" in source else {})
    try:
        wanted = _plain(autoescape=autoescape).from_string(source).render(values)
    except KeyError:
        with pytest.raises(KeyError):
            simplifying.from_string(source).render(values)
    else:
        assert simplifying.from_string(source).render(values) == wanted


def test_what_is_known_beforehand_is_data():
    environment = make_environment("web")
    source = "<a>{{ _('Hello') }}{% for n in range(2) %}<b>{{ n * 36 }}</b>{% endfor %}{{ _('Hi %(name)s', name=name) }}"
    compiled = environment.compile(source, raw=True)
    assert "<a>Hello<b>0</b><b>36</b>Hi " in compiled
    assert "gettext" not in compiled
    assert environment.from_string(source).render(name=Markup("<i>")).endswith("Hi <i>")
