"""What is worth a second look in a message, beside what is refused (`text_rules`). Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.messaging.gsm import Segments, is_gsm
from app.messaging.text_rules import TextBlock, pieces

SUBJECT_SHOWN = 60
"""Characters of a subject that a phone's list of mails shows."""
MAIL_BYTES = 100_000
"""Of HTML; Gmail cuts mails above 102 KB, and with it the link to unsubscribe."""
PARTS = 2
"""Parts of a text message above which it is long: each is paid for."""
_SHOUTED = re.compile(r"!{2,}|\b[A-ZÄÖÜ]{4,}\b")


class FindingKind(StrEnum):
    """What may be worth a change."""

    subject_long = "subject_long"
    subject_shouts = "subject_shouts"
    mail_large = "mail_large"
    text_long = "text_long"
    text_not_gsm = "text_not_gsm"
    """One such character more than halves what a part holds."""
    variable_left_out = "variable_left_out"
    no_postal_address = "no_postal_address"
    no_privacy_url = "no_privacy_url"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth a second look."""

    kind: FindingKind
    block: str | None = None
    """The block that it is about; None for the whole message."""
    detail: str = ""
    """A number, a variable or the characters, by the kind."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as its reader gets it; empty for a channel that it lacks."""

    subject: str
    html: str
    sms: str
    segments: Segments | None


def find_findings(
    made: Rendered,
    blocks: Mapping[str, TextBlock],
    own: Mapping[str, str],
    default: Mapping[str, str],
    *,
    postal_address: str,
    privacy_url: str | None,
) -> list[Finding]:
    """Everything worth a second look in a message with these texts of the brand's own."""
    found = [*_of_mail(made), *_of_text(made), *_of_variables(blocks, own, default)]
    if made.html and not postal_address.strip():
        found.append(Finding(FindingKind.no_postal_address))
    if made.html and not privacy_url:
        found.append(Finding(FindingKind.no_privacy_url))
    return found


def _of_mail(made: Rendered) -> Iterator[Finding]:
    if len(made.subject) > SUBJECT_SHOWN:
        yield Finding(FindingKind.subject_long, "subject", str(len(made.subject)))
    shouted = _SHOUTED.search(made.subject)
    if shouted:
        yield Finding(FindingKind.subject_shouts, "subject", shouted[0])
    size = len(made.html.encode())
    if size > MAIL_BYTES:
        yield Finding(FindingKind.mail_large, None, str(size))


def _of_text(made: Rendered) -> Iterator[Finding]:
    if made.segments is None:
        return
    foreign = "".join(dict.fromkeys(each for each in made.sms if not is_gsm(each)))
    if foreign:
        yield Finding(FindingKind.text_not_gsm, "sms", foreign[:20])
    if made.segments.count > PARTS:
        yield Finding(FindingKind.text_long, "sms", str(made.segments.count))


def _of_variables(
    blocks: Mapping[str, TextBlock], own: Mapping[str, str], default: Mapping[str, str]
) -> Iterator[Finding]:
    """A variable that our text has and the brand's own does not."""
    for name in blocks:
        if name not in own:
            continue
        used = {variable for _, variable in pieces(own[name])}
        for _, variable in pieces(default[name]):
            if variable is not None and variable not in used and variable not in ("brand", "shop"):
                yield Finding(FindingKind.variable_left_out, name, variable)
