"""What the screens of messages show: names, what is worth a second look, what changed."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.admin.texts import language_text
from app.base.i18n import N_, SOURCE, translate
from app.brands.programme import CodePer, Programme, RewardKind
from app.messaging.lint_rules import FindingKind
from app.messaging.text_schemas import BlockShape, FindingShape, TextsShape

TEMPLATES = {
    "survey": (N_("Survey"), N_("The question after an order.")),
    "reminder": (N_("Reminder"), N_("To people who have not answered the survey.")),
    "offer": (N_("Offer"), N_("The code or link, to people who answered 9 or 10.")),
    "reward": (N_("Reward"), N_("To a referrer, once a friend’s order counts.")),
    "reply": (N_("Reply"), N_("Around the words in which your team replies to an answer.")),
}
"""Name and purpose of each template that has a text of ours; others have their own name."""
_BLOCKS = {
    "subject": N_("Subject"),
    "link_subject": N_("Subject, where each friend gets their own code"),
    "intro": N_("First sentence"),
    "help": N_("Below the question"),
    "heading": N_("Heading"),
    "pass_on": N_("Above the link"),
    "link_pass_on": N_("Above the link, where each friend gets their own code"),
    "button": N_("Button"),
    "code_note": N_("Above the code"),
    "credit_note": N_("Where the reward is credit"),
    "account_note": N_("Where the credit is in the person’s account in the shop"),
    "sms": N_("Text message"),
    "link_sms": N_("Text message, where each friend gets their own code"),
    "credit_sms": N_("Text message, where the reward is credit"),
    "account_sms": N_("Text message, where the credit is in the person’s account"),
}
_FINDINGS = {
    FindingKind.subject_long: N_("The subject has %(detail)s characters; phones show about 60."),
    FindingKind.subject_shouts: N_("“%(detail)s” in the subject looks like spam to filters."),
    FindingKind.mail_large: N_(
        "The mail has %(detail)s bytes; Gmail cuts large mails, and the link to unsubscribe with it."
    ),
    FindingKind.text_long: N_("The text message has %(detail)s parts, and each is paid for."),
    FindingKind.text_not_gsm: N_(
        "“%(detail)s” is not in the alphabet of text messages: a part holds 70 characters, not 160."
    ),
    FindingKind.variable_left_out: N_("“%(block)s” does without {%(detail)s}, which our text has."),
    FindingKind.no_postal_address: N_(
        "The brand has no postal address, which a mail needs in most countries."
    ),
    FindingKind.no_privacy_url: N_("The brand has no link to its privacy policy."),
}


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """A text of the form."""

    name: str
    title: str
    text: str
    """The brand's own; empty for ours."""
    ours: str
    variables: Sequence[str]
    limit: int
    is_changed: bool
    error: str
    is_text: bool
    """Whether it is of the text message."""
    is_used: bool
    """Whether messages have it under the present terms."""


@dataclass(frozen=True, slots=True)
class TextChange:
    """A text that a version changed."""

    name: str
    before: str
    after: str


def template_name(name: str) -> str:
    """What a template is called."""
    return translate(SOURCE, TEMPLATES[name][0]) if name in TEMPLATES else name


def template_purpose(name: str) -> str:
    """When it is sent."""
    return translate(SOURCE, TEMPLATES[name][1]) if name in TEMPLATES else ""


def language_tabs(
    locales: Iterable[str], current: str, address: Callable[[str], str]
) -> list[dict[str, object]]:
    """The languages as links of this page, for the macro `tabs`."""
    return [
        {"href": address(each), "name": language_text(each), "is_current": each == current, "count": None}
        for each in locales
    ]


def block_name(name: str) -> str:
    """What a block is called."""
    return translate(SOURCE, _BLOCKS[name]) if name in _BLOCKS else name


def shown_blocks(
    blocks: Sequence[BlockShape],
    texts: TextsShape,
    entered: Mapping[str, str],
    errors: Mapping[str, str],
    programme: Programme,
) -> list[ShownBlock]:
    """The form with what was entered, beside the brand's texts in force."""
    return [
        ShownBlock(
            name=block.name,
            title=block_name(block.name),
            text=entered.get(block.name, ""),
            ours=texts.default[block.name],
            variables=[f"{{{each}}}" for each in (*block.required, *block.optional)],
            limit=block.limit,
            is_changed=entered.get(block.name, "") != texts.own.get(block.name, ""),
            error=errors.get(block.name, ""),
            is_text=block.channel == "sms",
            is_used=_is_used({each.name for each in blocks}, block.name, programme),
        )
        for block in blocks
    ]


def _is_used(names: Collection[str], name: str, programme: Programme) -> bool:
    """Whether the case of a block is that of the terms: whose the code is, and what a reward is."""
    per_friend = programme.offer.code_per is CodePer.friend
    is_credit = programme.reward.kind is RewardKind.credit
    for prefix, holds in (("link_", per_friend), ("credit_", is_credit)):
        if name.startswith(prefix):
            return holds
        if f"{prefix}{name}" in names or (prefix == "credit_" and name == "code_note"):
            return not holds
    return True


def finding_text(finding: FindingShape) -> str:
    """What is worth a second look, in a sentence."""
    text = _FINDINGS.get(FindingKind(finding.kind))
    block = block_name(finding.block or "")
    return translate(SOURCE, text, detail=finding.detail, block=block) if text else str(finding.kind)


def text_changes(
    before: Mapping[str, str], after: Mapping[str, str], default: Mapping[str, str]
) -> list[TextChange]:
    """The texts that differ; our own where there is none of the brand's."""

    def shown(blocks: Mapping[str, str], name: str) -> str:
        return blocks.get(name) or default.get(name, "")

    names = [name for name in {**default, **before, **after} if before.get(name) != after.get(name)]
    return [TextChange(block_name(name), shown(before, name), shown(after, name)) for name in names]
