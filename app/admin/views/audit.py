"""The audit log in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.admin.schemas import AuditRow
from app.base.actor import ActorKind
from app.base.audit import AuditAction
from app.base.i18n import N_, SOURCE, translate

ACTION_NAMES = {
    AuditAction.brand_added: N_("added the brand"),
    AuditAction.brand_changed: N_("changed the brand"),
    AuditAction.shop_added: N_("added a shop"),
    AuditAction.shop_changed: N_("changed a shop"),
    AuditAction.secret_exchanged: N_("exchanged a shop’s secret"),
    AuditAction.connection_saved: N_("connected a shop"),
    AuditAction.connection_removed: N_("disconnected a shop"),
    AuditAction.orders_imported: N_("imported orders"),
    AuditAction.sync_requested: N_("asked for a shop’s orders to be read"),
    AuditAction.provider_saved: N_("saved a provider’s account"),
    AuditAction.provider_removed: N_("removed a provider’s account"),
    AuditAction.alarms_changed: N_("changed the alarms"),
    AuditAction.texts_changed: N_("changed texts"),
    AuditAction.sample_sent: N_("sent a sample of a message"),
    AuditAction.programme_changed: N_("changed the programme"),
    AuditAction.redemption_approved: N_("approved a friend’s order"),
    AuditAction.redemption_rejected: N_("rejected a friend’s order"),
    AuditAction.redemption_rolled_back: N_("rolled back a friend’s order"),
    AuditAction.redemption_relinked: N_("credited a friend’s order to somebody"),
    AuditAction.goodwill_granted: N_("granted goodwill"),
    AuditAction.goodwill_taken_back: N_("took goodwill back"),
    AuditAction.code_disabled: N_("disabled a code"),
    AuditAction.code_replaced: N_("replaced a code"),
    AuditAction.code_issued_again: N_("gave a new code"),
    AuditAction.leak_dismissed: N_("decided that a code is not leaked"),
    AuditAction.delivery_replayed: N_("replayed a delivery"),
    AuditAction.message_resent: N_("sent a message again"),
    AuditAction.message_dismissed: N_("dismissed a message"),
    AuditAction.response_changed: N_("worked on an answer"),
    AuditAction.response_noted: N_("noted something about an answer"),
    AuditAction.response_replied: N_("replied to an answer"),
    AuditAction.testimonial_withdrawn: N_("withdrew a testimonial"),
    AuditAction.customer_erased: N_("erased a person"),
    AuditAction.data_request_done: N_("closed a request for data"),
    AuditAction.key_added: N_("made a key"),
    AuditAction.key_revoked: N_("revoked a key"),
    AuditAction.key_kept: N_("took over a key"),
    AuditAction.staff_added: N_("added to the team"),
    AuditAction.staff_invited: N_("invited"),
    AuditAction.staff_changed: N_("changed the access of"),
    AuditAction.staff_removed: N_("removed from the team"),
    AuditAction.password_set: N_("set a password"),
    AuditAction.login_link_made: N_("made a link to sign in"),
    AuditAction.signed_in: N_("signed in"),
    AuditAction.sessions_ended: N_("ended sessions"),
    AuditAction.second_factor_set: N_("set up an authenticator"),
    AuditAction.second_factor_removed: N_("removed an authenticator"),
    AuditAction.recovery_code_used: N_("used a recovery code"),
    AuditAction.people_listed: N_("read a list of people"),
    AuditAction.exported: N_("exported a list"),
}
_ONE_OF_A_BRAND = ("brand", "programme")
"""Kinds of subjects that the action names already."""
_LISTED = (AuditAction.people_listed, AuditAction.exported)
_LISTS = {"responses": N_("answers"), "redemptions": N_("friends’ orders"), "customers": N_("people")}
"""Lists that a screen calls otherwise than the API."""
_PAGES = {
    "cus": "/admin/customers/",
    "stf": "/admin/settings/team/",
    "rsp": "/admin/answers?answer=",
    "cod": "/admin/codes/",
}
"""Where the page of a subject is, by the prefix of its id."""


@dataclass(frozen=True, slots=True)
class Names:
    """What ids of the log stand for."""

    staff: Mapping[str, str]
    keys: Mapping[str, str]
    shops: Mapping[str, str]

    def actor(self, shown: str) -> str:
        """Who acted: an address, what a key is for, or the command line."""
        if shown in self.staff:
            return self.staff[shown]
        if shown == ActorKind.cli.value:
            return translate(SOURCE, "the operator, by command")
        if shown == "defaults":
            return translate(SOURCE, "the defaults")
        if shown.startswith("key_"):
            return translate(SOURCE, "key “%(label)s”", label=self.keys.get(shown) or shown)
        if shown.startswith("stf_"):
            return translate(SOURCE, "a former colleague")
        return shown


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """One entry as a line of the screen."""

    at: datetime
    who: str
    actor: str
    """As the filter takes it."""
    what: str
    subject: str
    href: str
    changes: Sequence[str]


def audit_rows(found: Sequence[AuditRow], names: Names) -> list[ShownEntry]:
    """The entries in words."""
    return [_shown(row, names) for row in found]


def _shown(row: AuditRow, names: Names) -> ShownEntry:
    name = ACTION_NAMES.get(AuditAction(row.action)) if row.action in set(AuditAction) else None
    # Somebody who did it to themselves is named once.
    own = row.subject == row.actor
    subject = row.subject or ("" if row.subject_kind in _ONE_OF_A_BRAND else row.subject_kind)
    page = _PAGES.get(row.subject_kind)
    known = row.subject_kind != "stf" or row.subject in names.staff
    return ShownEntry(
        at=row.created_at,
        who=names.actor(row.actor),
        actor=row.actor,
        what=_what(row, name),
        subject="" if own else _subject(subject, names),
        href=f"{page}{row.subject}" if page and row.subject and known and not own else "",
        changes=[
            line
            for field, change in sorted((row.changes or {}).items())
            for line in _lines(field, change.before, change.after)
        ],
    )


def _what(row: AuditRow, name: str | None) -> str:
    """What was done; of a list of people the list's name follows."""
    text = translate(SOURCE, name) if name else str(row.action)
    return f"{text}:" if row.action in _LISTED else text


def _subject(subject: str, names: Names) -> str:
    if subject in _LISTS:
        return translate(SOURCE, _LISTS[subject])
    if subject.startswith("key_"):
        return f"“{names.keys.get(subject) or subject}”"
    return names.actor(subject) if subject.startswith("stf_") else names.shops.get(subject, subject)


def _lines(field: str, before: object, after: object) -> list[str]:
    """What changed in a field, a line each: `role: viewer` for a new value, `role: viewer → admin`.

    Of values with parts, those that differ; of a file its name.
    """
    if isinstance(before or after, dict) and not _file(before or after):
        old, new = (each if isinstance(each, dict) else {} for each in (before, after))
        return [
            line
            for part in sorted({*old, *new})
            if old.get(part) != new.get(part)
            for line in _lines(f"{field}, {part}", old.get(part), new.get(part))
        ]
    name, now = field.replace("_", " "), _value(after)
    return [f"{name}: {now}" if before is None else f"{name}: {_value(before)} → {now}"]


def _file(value: object) -> str:
    return str(value.get("file", "")) if isinstance(value, dict) else ""


def _value(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(_value(each) for each in value) or "–"
    text = _file(value) or str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
