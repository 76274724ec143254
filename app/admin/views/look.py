"""What the screen of the look shows: colour, face, texts in a language, links and images."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from pydantic import JsonValue

from app.base.i18n import N_, SOURCE, known_language, language_of, translate
from app.brands.appearance import own_text
from app.brands.models import Brand
from app.brands.rules import TextKind

TEXTS = {
    TextKind.greeting: (
        N_("Before the question"),
        N_("After the name: “Hi Ana, your coffee has had a few days to settle in. One question:”"),
    ),
    TextKind.sign_off: (N_("Below the form"), N_("Who reads the answer.")),
    TextKind.thanks: (N_("Thank-you"), N_("To people who answered 9 or 10.")),
    TextKind.pitch: (N_("To a friend"), N_("What the shop sells, also in previews of links.")),
    TextKind.noun: (N_("What a friend buys"), N_("After the discount: “your first bag of coffee”.")),
}
LINKS = {
    "privacy_url": N_("Privacy policy"),
    "terms_url": N_("Terms of sale"),
    "imprint_url": N_("Imprint"),
}
FACES = (("sans", N_("sans serif")), ("serif", N_("serif")))
_LOOK = ("accent", "heading")


@dataclass(frozen=True, slots=True)
class ShownText:
    """A text of the form."""

    id: str
    name: str
    hint: str
    text: str
    is_changed: bool


def field_name(name: str) -> str:
    """What a field of the form is called."""
    texts = {kind.value: text for kind, (text, _) in TEXTS.items()}
    return translate(SOURCE, {**texts, **LINKS, "accent": N_("Colour")}.get(name, name))


def entered_look(brand: Brand, language: str) -> dict[str, str]:
    """What the form shows of a brand's look, by the names of its fields."""
    found = {
        "accent": str(brand.branding.get("accent") or ""),
        "heading": str(brand.branding.get("heading") or "sans"),
        **{kind.value: own_text(brand, kind, language) or "" for kind in TextKind},
    }
    return found | {name: url or "" for name, url in brand.legal_urls.items()}


def changed_look(
    brand: Brand, language: str, entered: Mapping[str, str], shown: Mapping[str, str]
) -> dict[str, JsonValue]:
    """The fields of the API's `PATCH /brand` that differ from what the form showed.

    What somebody else changed meanwhile, and this form did not, is not in it.
    """
    names = [name for name, text in shown.items() if entered.get(name, text) != text]
    branding: dict[str, JsonValue] = {name: entered[name] or None for name in names if name in _LOOK}
    for kind in TextKind:
        if kind.value in names:
            branding[kind.value] = _in_language(brand, kind, language, entered[kind.value])
    changes: dict[str, JsonValue] = {name: entered[name] or None for name in names if name in LINKS}
    return {**changes, "branding": branding} if branding else changes


def _in_language(brand: Brand, kind: TextKind, language: str, text: str) -> JsonValue:
    """The brand's texts in this place, with another one in this language.

    One text alone stands for the brand's own language.
    """
    stored: str | dict[str, str] | None = brand.branding.get(kind.value)  # type: ignore[assignment]  # by its name
    own = language_of(brand.locale)
    given = {own: stored} if isinstance(stored, str) else stored or {}
    texts = {tag: each for tag, each in given.items() if known_language(tag)}
    tags = [tag for tag in texts if known_language(tag) == language]
    for tag in tags[1:]:
        del texts[tag]
    tag = tags[0] if tags else language
    if text:
        texts[tag] = text
    else:
        texts.pop(tag, None)
    if set(texts) == {own} and not isinstance(stored, dict):
        return texts[own]
    return {**texts} or None


def shown_texts(entered: Mapping[str, str], present: Mapping[str, str]) -> list[ShownText]:
    """The texts of the form, each with what it is."""
    return [
        ShownText(
            kind.value,
            translate(SOURCE, name),
            translate(SOURCE, hint),
            entered.get(kind.value, ""),
            entered.get(kind.value, "") != present[kind.value],
        )
        for kind, (name, hint) in TEXTS.items()
    ]


def read_shown(text: str, present: Mapping[str, str]) -> dict[str, str]:
    """What the form showed, as its hidden field has it; the present look where it has none."""
    try:
        found = orjson.loads(text)
    except ValueError:
        return dict(present)
    if not isinstance(found, dict):
        return dict(present)
    return {name: str(found.get(name, value)) for name, value in present.items()}
