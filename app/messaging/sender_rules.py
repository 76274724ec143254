"""What the DNS records of a sender's domain say (SPF, DKIM, DMARC). Pure."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

LEAST_KEY_BITS = 1024
"""Of an RSA key, as Gmail and Yahoo ask (RFC 8301: shorter ones are not to be trusted)."""
FREE_MAIL = frozenset(
    [
        "gmail.com",
        "googlemail.com",
        "yahoo.com",
        "yahoo.de",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "icloud.com",
        "me.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "gmx.at",
        "gmx.ch",
        "web.de",
        "t-online.de",
        "freenet.de",
        "mail.ru",
        "yandex.ru",
        "proton.me",
    ]
)
"""Domains of mailboxes for everybody, whose owners alone may send for them."""
_QUALIFIERS = "+-~?"
_MECHANISMS = frozenset({"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"})
_NEED_VALUE = frozenset({"include", "ip4", "ip6", "exists"})
_POLICIES = frozenset({"none", "quarantine", "reject"})


@dataclass(frozen=True, slots=True)
class SpfTerm:
    """One mechanism of an SPF record."""

    qualifier: str
    """`+` (also where none is written), `-`, `~` or `?`."""
    name: str
    value: str
    """What follows the colon, with a prefix length; empty for the domain itself."""
    text: str


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """An SPF record (RFC 7208): its mechanisms up to `all`, and what is wrong in it."""

    terms: tuple[SpfTerm, ...]
    redirect: str | None
    errors: tuple[str, ...]

    @property
    def everybody(self) -> bool:
        """Whether it lets everybody send."""
        return any(term.name == "all" and term.qualifier == "+" for term in self.terms)


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record."""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def parse_spf(text: str) -> SpfRecord:
    """Read an SPF record; what stands after `all` is ignored, as receivers do."""
    terms: list[SpfTerm] = []
    errors: list[str] = []
    redirect: str | None = None
    for word in text.split()[1:]:
        name, separator, value = word.partition("=")
        if separator and ":" not in name and "/" not in name:
            redirect = value.lower() if name.lower() == "redirect" else redirect
            continue
        qualifier = word[0] if word[0] in _QUALIFIERS else "+"
        bare = word.removeprefix(qualifier) if word[0] in _QUALIFIERS else word
        head, _, tail = bare.partition(":")
        head, slash, length = head.partition("/")
        value = f"{tail}{slash}{length}".lower()
        if head.lower() not in _MECHANISMS or (head.lower() in _NEED_VALUE and not tail):
            errors.append(f"“{word}” is no mechanism of SPF")
        elif not any(term.name == "all" for term in terms):
            terms.append(SpfTerm(qualifier, head.lower(), value, bare))
    has_all = any(term.name == "all" for term in terms)
    return SpfRecord(tuple(terms), None if has_all else redirect, tuple(errors))


def spf_with(text: str, mechanism: str) -> str:
    """The record with a mechanism more, before its `all` or `redirect`."""
    words = text.split()
    ends = [place for place, word in enumerate(words) if _is_end(word)]
    place = ends[0] if ends else len(words)
    tail = words[place:] if ends else ["~all"]
    return " ".join([*words[:place], mechanism, *tail])


def merged_spf(texts: Sequence[str]) -> str:
    """One record that lets send whom any of these lets send; others are doubted (`~all`)."""
    words = dict.fromkeys(word for text in texts for word in text.split()[1:] if not _is_end(word))
    return " ".join(["v=spf1", *words, "~all"])


def spf_without_everybody(text: str) -> str:
    """The record with `~all` instead of an `all` that lets everybody send."""
    return " ".join("~all" if word.lower() in ("all", "+all") else word for word in text.split())


def _is_end(word: str) -> bool:
    return word.lower().lstrip(_QUALIFIERS) == "all" or word.lower().startswith("redirect=")


def tags_of(text: str) -> dict[str, str]:
    """The `name=value` pairs of a DKIM or DMARC record; names in lower case."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, separator, value in pairs if separator}


def key_problem(text: str) -> str | None:
    """Why a text is no DKIM key (RFC 6376) that receivers trust; None for one that is."""
    tags = tags_of(text)
    if "p" not in tags or tags.get("v", "DKIM1") != "DKIM1":
        return "is no DKIM key"
    if not tags["p"]:
        return "is a key that was revoked (p= is empty)"
    try:
        raw = base64.b64decode("".join(tags["p"].split()), validate=True)
        if tags.get("k", "rsa") == "ed25519":
            return None if len(raw) == 32 else "is no DKIM key"  # RFC 8463
        key = load_der_public_key(raw)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return "is a key that is cut or mistyped"
    if isinstance(key, RSAPublicKey) and key.key_size < LEAST_KEY_BITS:
        return f"is a key of {key.key_size} bits, and {LEAST_KEY_BITS} are needed"
    return None


@dataclass(frozen=True, slots=True)
class Dmarc:
    """A DMARC record (RFC 7489)."""

    policy: str
    strict_spf: bool
    """Whether the return path must be the sender's very domain."""
    strict_dkim: bool


def is_dmarc(text: str) -> bool:
    """Whether a TXT record at `_dmarc` is one."""
    return tags_of(text).get("v", "") == "DMARC1" and text.lstrip().startswith("v")


def parse_dmarc(text: str) -> Dmarc | None:
    """Read a DMARC record; None for one without a policy, which receivers ignore."""
    tags = tags_of(text)
    if tags.get("p", "").lower() not in _POLICIES:
        return None
    return Dmarc(tags["p"].lower(), tags.get("aspf", "r") == "s", tags.get("adkim", "r") == "s")


def parents_of(domain: str) -> list[str]:
    """The domain and those above it that somebody may own: `a.b.example`, `b.example`."""
    labels = domain.split(".")
    return [".".join(labels[place:]) for place in range(max(1, len(labels) - 1))]


def lies_within(domain: str, other: str) -> bool:
    """Whether a domain is another one or below it."""
    return domain == other or domain.endswith(f".{other}")


def txt(name: str, value: str) -> str:
    """A TXT record as it is entered."""
    return f'{name} TXT "{value}"'
