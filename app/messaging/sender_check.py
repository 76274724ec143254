"""Check the domains that mail is sent from, before the first mail: gaps with the records to set."""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.config import EmailProvider, Settings
from app.base.dns_records import DnsRecords, DnsUnknown
from app.base.domain_names import encoded_domain
from app.brands.models import Brand
from app.brands.programme import Channel
from app.messaging import sender_rules as rules
from app.messaging.models import ProviderAccount
from app.messaging.sender_path import SenderPath
from app.messaging.sender_spf import MOST_LOOKUPS, SpfReading, read_spf

_DOMAINS_AT_ONCE = 8
_SENDGRID = "SendGrid shows it under Settings, Sender Authentication"


@dataclass(slots=True)
class SenderReport:
    """What was found about one domain, in sentences for people."""

    domain: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def load_senders(
    session: AsyncSession, settings: Settings, brand_ids: Collection[int] | None = None
) -> list[tuple[str, SenderPath]]:
    """The domains that these brands (None: all) send from, and how their mail leaves.

    Domains are encoded as mail servers know them. A brand with a mail account of its own sends by
    that, the others by the installation's.
    """
    own = (ProviderAccount.brand_id == Brand.id) & (ProviderAccount.channel == Channel.email)
    account = ProviderAccount.provider, ProviderAccount.account
    query = select(Brand.email_from, *account).outerjoin(ProviderAccount, own).distinct()
    if brand_ids is not None:
        query = query.where(Brand.id.in_(brand_ids))
    shared = SenderPath.of(settings)
    senders = {
        (each or settings.email_from, shared if provider is None else SenderPath.of_own(provider, account))
        for each, provider, account in await session.execute(query)
    } or {(settings.email_from, shared)}
    domains = {(parseaddr(each)[1].rpartition("@")[2], path) for each, path in senders if each}
    found = {(_encoded(domain), path) for domain, path in domains if domain}
    return sorted(found, key=lambda each: (each[0], each[1].provider, each[1].host or ""))


async def check_senders(settings: Settings, senders: Sequence[tuple[str, SenderPath]]) -> list[SenderReport]:
    """A report for each domain but those whose mail stays in the outbox. Never raises."""
    dns, turns = DnsRecords(settings.name_server), asyncio.Semaphore(_DOMAINS_AT_ONCE)

    async def one(domain: str, path: SenderPath) -> SenderReport:
        async with turns:
            return await check_sender(dns, domain, path)

    sent = [each for each in senders if each[1].provider is not EmailProvider.outbox]
    return await asyncio.gather(*(one(domain, path) for domain, path in sent))


async def check_sender(dns: DnsRecords, domain: str, path: SenderPath) -> SenderReport:
    """Check one domain; what no name server answers about is a note."""
    report = SenderReport(domain)
    if domain in rules.FREE_MAIL:
        report.problems.append(
            f"{domain} belongs to a mail service, so receivers refuse what others send for it. Send from a"
            " domain of your own."
        )
        return report
    parts: tuple[Coroutine[None, None, None], ...] = (
        _check_mailbox(dns, report),
        _check_spf(dns, report, path),
        _check_dkim(dns, report, path),
        _check_dmarc(dns, report, path),
    )
    found = await asyncio.gather(*parts, return_exceptions=True)
    unknown = [each for each in found if isinstance(each, DnsUnknown)]
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, DnsUnknown):
            raise each
    if unknown:
        what = "The records" if len(unknown) == len(parts) else "Some records"
        report.notes.append(f"{what} of {domain} were not checked: {unknown[0]}.")
    return report


async def _check_mailbox(dns: DnsRecords, report: SenderReport) -> None:
    """Whether the domain takes mail: replies and bounces."""
    domain = report.domain
    exchanges = await dns.exchanges(domain)
    if exchanges == [""]:
        report.problems.append(
            f"{domain} takes no mail (null MX), and many receivers refuse mail from such a domain (RFC 7505)."
            f" Set: {domain} MX 10 and your mail server in its place, or send from another domain."
        )
    elif not exchanges and not await dns.addresses(domain):
        report.problems.append(
            f"{domain} has neither MX nor address records, so nobody can reply, and many receivers refuse its"
            f" mail. Set: {domain} MX 10 and your mail server."
        )


async def _check_spf(dns: DnsRecords, report: SenderReport, path: SenderPath) -> None:
    domain = report.domain
    reading = await read_spf(dns, domain)
    _check_record(report, domain, reading)
    if path.return_path is not None:
        returned = await read_spf(dns, path.return_path)
        _check_record(report, path.return_path, returned)
        if not returned.texts:
            wanted = (
                f"{path.return_path} CNAME and its target: {_SENDGRID}."
                if path.provider is EmailProvider.sendgrid
                else "the SPF record that your mail server's operator shows for it."
            )
            report.problems.append(f"The return path {path.return_path} has no SPF record. Set: {wanted}")
    elif path.keeps_return_path:
        await _check_server(dns, report, reading, path)
    else:
        report.notes.append(
            f"The return path of mail from {domain} is set where it is sent. To have its SPF record and its"
            " alignment checked, set TENFOLD_RETURN_PATH_DOMAIN to its domain, such as"
            f" em1234.{domain}{' (' + _SENDGRID + ')' if path.provider is EmailProvider.sendgrid else ''}."
        )


def _check_record(report: SenderReport, domain: str, reading: SpfReading) -> None:
    """What is wrong with the SPF records that a domain has."""
    texts = reading.texts
    if len(texts) > 1:
        report.problems.append(
            f"{domain} has {len(texts)} SPF records, so receivers ignore all of them. Remove them and set one:"
            f" {rules.txt(domain, rules.merged_spf(texts))}"
        )
        return
    if reading.errors:
        report.problems.append(
            f"Receivers ignore the SPF record of {domain}: {'; '.join(reading.errors)}. Remove that from: "
            f"{rules.txt(domain, texts[0])}"
        )
    if reading.lookups > MOST_LOOKUPS:
        report.problems.append(
            f"Receivers ignore the SPF record of {domain}: it needs {reading.lookups} lookups, and"
            f" {MOST_LOOKUPS} are allowed. Remove what no longer sends from: {rules.txt(domain, texts[0])}"
        )
    if reading.everybody:
        report.problems.append(
            f"The SPF record of {domain} lets everybody send in its name (+all). Set: "
            f"{rules.txt(domain, rules.spf_without_everybody(texts[0]))}"
        )


async def _check_server(dns: DnsRecords, report: SenderReport, reading: SpfReading, path: SenderPath) -> None:
    """Whether the sender's SPF record names the mail server."""
    domain, host = report.domain, path.host or ""
    include = path.include
    mechanism = include or f"a:{host}"
    if path.is_local:
        mechanism = "ip4: and the public address of this machine"
    wanted = rules.spf_with(reading.texts[0], mechanism) if reading.texts else f"v=spf1 {mechanism} ~all"
    if not reading.texts:
        report.problems.append(
            f"{domain} has no SPF record, so receivers cannot tell who may send for it. Set:"
            f" {rules.txt(domain, wanted)}"
        )
    elif len(reading.texts) > 1 or path.is_local:
        return
    elif include is not None:
        if include.partition(":")[2] not in reading.includes:
            report.problems.append(
                f"The SPF record of {domain} does not name {host}. Set: {rules.txt(domain, wanted)}"
            )
    elif not any(map(reading.allows, await dns.addresses(host))):
        report.notes.append(
            f"The SPF record of {domain} does not name {host}. If this server delivers its mail itself, set:"
            f" {rules.txt(domain, wanted)}"
        )


async def _check_dkim(dns: DnsRecords, report: SenderReport, path: SenderPath) -> None:
    """Whether the keys are there with which mail is signed, at the domain or one above it."""
    domain = report.domain
    if not path.selectors:
        report.notes.append(
            f"The DKIM key of {domain} was not checked, since its name is not known. "
            + (
                "Look for a DKIM-Signature in a mail that the brand's own mail server has sent."
                if path.is_own
                else "Set TENFOLD_DKIM_SELECTORS to what stands after s= in the DKIM-Signature of a mail that"
                " your server has sent."
            )
            + " Mail without such a signature has no one-click unsubscription (RFC 8058)."
        )
        return
    for selector in path.selectors:
        owners = [f"{selector}._domainkey.{each}" for each in rules.parents_of(domain)]
        found = [(name, texts) for name in owners if (texts := await dns.texts(name))]
        if not found:
            report.problems.append(await _no_key(dns, owners[0], path))
            continue
        name, texts = found[0]
        reason = "has several records" if len(texts) > 1 else rules.key_problem(texts[0])
        if reason is not None:
            report.problems.append(f"The record {name} {reason}. Set it as {_shown_by(path)}")


async def _no_key(dns: DnsRecords, name: str, path: SenderPath) -> str:
    target = await dns.alias(name)
    if target is not None:
        return f"{name} leads to {target}, where there is no DKIM key. Set it as {_shown_by(path)}"
    if path.provider is EmailProvider.sendgrid:
        return f"There is no DKIM key {name}. Set: {name} CNAME and its target: {_SENDGRID}."
    return (
        f"There is no DKIM key {name}. Set: {name} TXT with the key that your mail server shows, which begins"
        ' with "v=DKIM1; k=rsa; p=".'
    )


def _shown_by(path: SenderPath) -> str:
    if path.provider is EmailProvider.sendgrid:
        return "SendGrid shows it under Settings, Sender Authentication."
    return "your mail server shows it."


async def _check_dmarc(dns: DnsRecords, report: SenderReport, path: SenderPath) -> None:
    """Whether there is a policy, and the return path fits it."""
    domain = report.domain
    found = {owner: await _dmarc_texts(dns, owner) for owner in rules.parents_of(domain)}
    owner = next((each for each, texts in found.items() if texts), None)
    if owner is None:
        report.problems.append(
            f"{domain} has no DMARC record, which large mailboxes ask of everybody who sends in bulk. Set: "
            f"{rules.txt(f'_dmarc.{domain}', f'v=DMARC1; p=none; rua=mailto:postmaster@{domain}')}"
        )
        return
    name, texts = f"_dmarc.{owner}", found[owner]
    record = rules.parse_dmarc(texts[0]) if len(texts) == 1 else None
    if record is None:
        why = f"there are {len(texts)} of them" if len(texts) > 1 else "it has no policy (p=)"
        report.problems.append(
            f"Receivers ignore the DMARC record {name}: {why}. Set one: "
            f"{rules.txt(name, f'v=DMARC1; p=none; rua=mailto:postmaster@{owner}')}"
        )
        return
    returned = path.return_path
    if returned is None or returned == domain:
        return
    owners = [each for each, texts in found.items() if texts and rules.lies_within(returned, each)]
    if record.strict_spf or not (owners or rules.lies_within(domain, returned)):
        report.notes.append(
            f"The return path {returned} does not count for {domain} under the DMARC record {name}, so the DKIM"
            f" signature alone does. Send bounces to a domain below {owner}"
            f"{', and remove aspf=s there' if record.strict_spf else ''}."
        )


async def _dmarc_texts(dns: DnsRecords, owner: str) -> list[str]:
    return [text for text in await dns.texts(f"_dmarc.{owner}") if rules.is_dmarc(text)]


def _encoded(domain: str) -> str:
    """A domain as mail servers know it: `xn--…` for an international one."""
    return encoded_domain(domain) or domain.strip().lower()
