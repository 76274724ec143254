"""The registry: what may be registered, and what every registered template must hold to."""

from dataclasses import dataclass, replace
from typing import Annotated

import pytest
from jinja2 import nodes

from app.brands.programme import Channel
from app.messaging import templates
from app.messaging.render import render_skeleton, variant_of
from app.messaging.sources import make_environment
from app.messaging.templates import (
    CHOICE,
    ParamKind,
    TemplateSpec,
    find_template,
    register,
    registered,
    stored_params,
)
from app.messaging.versions import VersionContent, template_parts
from app.referrals.templates import OFFER, REWARD
from app.surveys.templates import SURVEY, SurveyParams
from tests.support.rendering import item

SPECS = pytest.mark.parametrize("template", registered(), ids=lambda spec: spec.name)


@dataclass(frozen=True, slots=True)
class _Params:
    kind: Annotated[str, CHOICE]
    note: str | None


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the registry, so that a test may add to it."""
    monkeypatch.setattr(templates, "_REGISTRY", dict(templates._REGISTRY))


def test_every_package_has_registered_its_templates() -> None:
    names = [template.name for template in registered()]
    assert names == sorted(names)
    assert set(names) >= {"survey", "reminder", "offer", "reward"}
    assert find_template("survey") is SURVEY
    assert find_template("no such template") is None


def test_a_name_is_registered_once_and_with_a_sample_of_its_own(registry: None) -> None:
    with pytest.raises(ValueError, match="twice"):
        register(TemplateSpec("survey", _Params, _Params("a", None), subject_prefix="sur"))
    with pytest.raises(ValueError, match="another type"):
        register(TemplateSpec("new", _Params, SURVEY.sample, subject_prefix="sur"))
    assert register(TemplateSpec("new", _Params, _Params("a", None), subject_prefix="sur")) in registered()


def test_parameters_of_another_template_are_refused() -> None:
    with pytest.raises(TypeError, match="SurveyParams"):
        stored_params(SURVEY, OFFER.sample)


@SPECS
def test_a_condition_asks_only_whether_a_value_is_there_or_for_a_choice(template: TemplateSpec) -> None:
    """In a batch a value is a tag, so any other condition would be decided the same for
    everybody."""
    words = set(template.names_of(ParamKind.choice))
    for channel in template.channels:
        for source in template_parts(template.name, channel).values():
            for condition in make_environment(autoescape=False).parse(source).find_all(nodes.If):
                assert _names_of_values(condition.test) <= words


def _names_of_values(test: nodes.Node) -> set[str]:
    """Names in a condition whose value matters, and not only whether there is one."""
    match test:
        case nodes.Name():
            return set()
        case nodes.Not() | nodes.And() | nodes.Or():
            return set().union(*(_names_of_values(child) for child in test.iter_child_nodes()))
        case _:
            return {name.name for name in test.find_all(nodes.Name)}


def _with_text(source: str) -> VersionContent:
    one = item(SURVEY, Channel.sms).version
    return replace(one, parts={"text": source}, params=("kind", "note"), choices=("kind",), dates=())


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        (_Params("code", "a"), _Params("code", "b"), True),
        (_Params("code", "a"), _Params("code", None), False),
        (_Params("code", "a"), _Params("credit", "a"), False),
    ],
)
def test_messages_are_of_one_variant_exactly_if_their_conditions_resolve_alike(
    first: _Params, second: _Params, alike: bool
) -> None:
    spec = TemplateSpec("new", _Params, first, subject_prefix="sur")
    version = _with_text("{% if kind == 'code' %}code{% endif %}{% if note %} {{ note }}{% endif %}")
    params = [stored_params(spec, each) for each in (first, second)]
    assert (variant_of(version, params[0]) == variant_of(version, params[1])) is alike
    texts = [render_skeleton(version, each)[0].text.split("-")[0] for each in params]
    tags = [len(render_skeleton(version, each)[1]) for each in params]
    assert ((texts[0], tags[0]) == (texts[1], tags[1])) is alike


@SPECS
def test_a_version_is_the_same_after_it_was_stored(template: TemplateSpec) -> None:
    for channel in template.channels:
        version = item(template, channel).version
        assert VersionContent.from_json(version.to_json()).id == version.id


def test_a_versions_id_changes_with_any_of_its_content() -> None:
    version = item(SURVEY, Channel.email).version
    others = [
        replace(version, template="reminder"),
        replace(version, channel=Channel.sms),
        replace(version, language="de"),
        replace(version, parts={**version.parts, "subject": "Another"}),
        replace(version, translations={"Hello,": "Hallo,"}),
        replace(version, dates=()),
        replace(version, branding=replace(version.branding, brand="Another")),
    ]
    assert len({each.id for each in [version, *others]}) == len(others) + 1


def test_only_the_reward_and_the_alarm_have_a_choice() -> None:
    chosen = {spec.name for spec in registered() if spec.names_of(ParamKind.choice)}
    assert chosen == {REWARD.name, "alarm"}
    assert SURVEY.names_of(ParamKind.date) == ("ordered_on",)
    assert isinstance(SURVEY.sample, SurveyParams)
