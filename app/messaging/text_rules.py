"""Texts that brands write themselves: blocks of plain text with `{variable}`. Pure.

A text is never a template: it is cut into words and variables here, and only these are put
together. Unsubscription, addresses, why somebody gets a message, and what an offer or a reward
promises are in no block, so no brand can take them away.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from app.base.text import is_clean
from app.brands.programme import Channel
from app.brands.rules import domain_of, lies_in

LIMIT = 300
"""Characters of a block unless it has its own limit."""
_VARIABLE = re.compile(r"\{([a-z_]+)\}")
_VALUE = re.compile(r"%\((\w+)\)s|%%")
_ENTITY = re.compile(r"&#?\w+;")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s<>\"]*", re.IGNORECASE)
_HOST = re.compile(r"(?:[\w-]+\.)+[^\W\d_]{2,24}\b")


@dataclass(frozen=True, slots=True)
class TextBlock:
    """One text of a template that a brand may write itself, in one line."""

    name: str
    """Unique within its template."""
    channel: Channel
    replaces: tuple[str, ...]
    """The English texts in the template's files that it stands for; the first is its default."""
    required: tuple[str, ...] = ()
    """Variables that it cannot do without."""
    optional: tuple[str, ...] = ("brand", "shop")
    """The other ones that it may have; each has a value wherever the block is shown."""
    limit: int = LIMIT
    """Characters."""

    @property
    def variables(self) -> tuple[str, ...]:
        """All variables that it may have."""
        return (*self.required, *self.optional)


def pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """The text as words, each followed by the name of a variable; None after the last ones."""
    *words_and_names, last = _VARIABLE.split(text)
    yield from zip(words_and_names[::2], words_and_names[1::2], strict=True)
    yield last, None


def as_block(text: str) -> str:
    """A text of a catalog, which carries `%(brand)s`, as a block has it: `{brand}`."""
    return _VALUE.sub(lambda found: f"{{{found[1]}}}" if found[1] else "%", text)


def find_problem(block: TextBlock, text: str, domains: Collection[str]) -> str | None:
    """Why a block cannot have this text, and how to mend it; None for a good one.

    `domains` are those that the text may name, since a mailbox makes links of addresses.
    """
    problem = next(_problems(block, text, domains), None)
    return problem and f"The block {block.name} {problem}"


def _problems(block: TextBlock, text: str, domains: Collection[str]) -> Iterator[str]:
    plain = _VARIABLE.sub(" ", text)
    used: set[str] = set(_VARIABLE.findall(text))
    known = ", ".join(f"{{{name}}}" for name in block.variables)
    if not text.strip():
        yield "is empty; leave it out to keep our text."
    if len(text) > block.limit:
        yield f"has {len(text)} characters; it may have {block.limit}."
    if not is_clean(text):
        yield "has a line break or a character that cannot be seen; write one plain line."
    if "{" in plain or "}" in plain:
        yield f"has a brace that belongs to no variable; its variables are {known}."
    for name in sorted(used - set(block.variables)):
        yield f"has no variable {{{name}}}; its variables are {known}."
    for name in block.required:
        if name not in used:
            yield f"lacks {{{name}}}, which it cannot do without; add it."
    if "<" in text or ">" in text or _ENTITY.search(text):
        yield "has HTML; it is plain text, so leave out < and > and write characters as they are."
    host = _foreign_host(plain, domains)
    if host is not None:
        yield f"names {host}, which is none of the brand's domains; leave it out, or put a space after the full stop."


def _foreign_host(plain: str, domains: Collection[str]) -> str | None:
    addresses: list[str] = _ADDRESS.findall(plain)
    for address in addresses:
        try:
            domain = domain_of(address)
        except ValueError:
            domain = ""
        if not address.lower().startswith(("http://", "https://")) or not lies_in(domain, domains):
            return domain or address[:40]
    hosts: list[str] = _HOST.findall(_ADDRESS.sub(" ", plain))
    return next((host[:40] for host in hosts if not lies_in(domain_of(host), domains)), None)
