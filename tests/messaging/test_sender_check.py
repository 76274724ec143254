"""A sender's domain is checked against a name server; each gap is told with the record to set."""

import asyncio
from dataclasses import replace

import pytest

from app.base.actor import cli_actor
from app.base.config import EmailProvider, load_settings
from app.base.dns_records import DnsRecords
from app.base.dns_server import DnsServer, parse_dns_server
from app.base.errors import AppError
from app.brands.programme import Channel
from app.messaging.account_rules import AccountEntry, read_entry
from app.messaging.accounts import save_account
from app.messaging.sender_check import check_sender, check_senders, load_senders
from app.messaging.sender_path import SenderPath
from tests.support.constants import NOW, SECRET_KEY
from tests.support.dkim import key_of
from tests.support.fakes.name_server import name_server

KEY = f"v=DKIM1; k=rsa; p={key_of(2048)}"
OWN = SenderPath(
    EmailProvider.smtp, "mail.shop.example", is_local=False, selectors=("mail",), return_path=None
)
SENDGRID = SenderPath(EmailProvider.sendgrid, None, is_local=False, selectors=("s1", "s2"), return_path=None)


@pytest.fixture
async def zone():
    async with name_server() as server:
        server.add("shop.example", "MX", "10 mail.shop.example.")
        server.add("mail.shop.example", "A", "192.0.2.10")
        server.add("shop.example", "TXT", "unrelated", "v=spf1 mx -all")
        server.add("mail._domainkey.shop.example", "TXT", KEY)
        server.add("_dmarc.shop.example", "TXT", "v=DMARC1; p=none; rua=mailto:d@shop.example")
        yield server


async def check(zone, path=OWN, domain="shop.example"):
    report = await check_sender(DnsRecords(DnsServer("127.0.0.1", zone.port), seconds=2), domain, path)
    return report.problems, report.notes


async def only(zone, path=OWN, domain="shop.example"):
    """The one problem there is."""
    problems, _ = await check(zone, path, domain)
    [problem] = problems
    return problem


async def test_domain_with_all_records_has_no_problem(zone):
    assert await check(zone) == ([], [])
    assert await check(zone, domain="news.shop.example") != ([], []), "it has no records of its own"
    zone.add("news.shop.example", "MX", "10 mail.shop.example.")
    zone.add("news.shop.example", "TXT", "v=spf1 redirect=shop.example")
    found = await check(zone, domain="news.shop.example")
    assert found == ([], []), "key and policy of the domain above it hold for it"


async def test_spf_is_missing_doubled_open_or_silent_about_the_server(zone):
    zone.replace("shop.example", "TXT", "unrelated")
    assert 'Set: shop.example TXT "v=spf1 a:mail.shop.example ~all"' in await only(zone)
    google = replace(OWN, host="smtp.gmail.com")
    assert 'Set: shop.example TXT "v=spf1 include:_spf.google.com ~all"' in await only(zone, google)
    zone.replace("shop.example", "TXT", "v=spf1 mx -all", "v=spf1 include:_spf.google.com ~all")
    zone.add("_spf.google.com", "TXT", "v=spf1 ip4:203.0.113.0/24 ~all")
    expected = 'set one: shop.example TXT "v=spf1 include:_spf.google.com mx ~all"'
    assert expected in await only(zone)
    zone.replace("shop.example", "TXT", "v=spf1 mx +all")
    assert 'Set: shop.example TXT "v=spf1 mx ~all"' in await only(zone)
    zone.replace("shop.example", "TXT", "v=spf1 mx -all")
    expected = 'does not name smtp.gmail.com. Set: shop.example TXT "v=spf1 mx include:_spf.google.com -all"'
    assert expected in await only(zone, google)
    zone.replace("shop.example", "TXT", "v=spf1 ip4:198.51.100.0/24 -all")
    problems, [note] = await check(zone)
    assert not problems
    assert 'set: shop.example TXT "v=spf1 ip4:198.51.100.0/24 a:mail.shop.example -all"' in note
    zone.replace("shop.example", "TXT", "v=spf1 a:mail.shop.example/24 -all")
    assert await check(zone) == ([], [])


async def test_spf_that_receivers_ignore_is_told_with_its_reason(zone):
    zone.replace("shop.example", "TXT", "v=spf1 mx include:gone.example -all")
    assert "it includes gone.example, which has no SPF record" in await only(zone)
    zone.replace("shop.example", "TXT", "v=spf1 mx ipv4:192.0.2.1 -all")
    assert "“ipv4:192.0.2.1” is no mechanism" in await only(zone)
    zone.replace("shop.example", "TXT", "v=spf1 mx include:loop.example -all")
    zone.add("loop.example", "TXT", "v=spf1 include:loop.example -all")
    assert "lookups, and 10 are allowed" in await only(zone)
    many = " ".join(f"include:p{number}.example" for number in range(5))
    zone.replace("shop.example", "TXT", f"v=spf1 mx {many} -all")
    for number in range(5):
        zone.add(f"p{number}.example", "TXT", "v=spf1 a ip4:192.0.2.1 -all")
    assert "it needs 11 lookups" in await only(zone)
    zone.replace("p0.example", "TXT", "v=spf1 ip4:192.0.2.1 -all")
    assert await check(zone) == ([], [])


async def test_key_is_missing_revoked_or_of_an_unknown_name(zone):
    zone.replace("mail._domainkey.shop.example", "TXT", "v=DKIM1; p=")
    assert "mail._domainkey.shop.example is a key that was revoked" in await only(zone)
    zone.replace("mail._domainkey.shop.example", "TXT")
    assert "Set: mail._domainkey.shop.example TXT" in await only(zone)
    zone.add("mail._domainkey.shop.example", "CNAME", "gone.relay.example.")
    assert "leads to gone.relay.example, where there is no DKIM key" in await only(zone)
    problems, [note] = await check(zone, replace(OWN, selectors=()))
    assert not problems
    assert "TENFOLD_DKIM_SELECTORS" in note


async def test_sendgrid_has_two_keys_and_a_return_path_of_its_own(zone):
    problems, notes = await check(zone, SENDGRID)
    assert ["s1._domainkey.shop.example CNAME" in problems[0], "s2._domainkey" in problems[1]] == [True, True]
    assert "TENFOLD_RETURN_PATH_DOMAIN" in notes[0]
    for selector in ("s1", "s2"):
        target = f"{selector}.domainkey.u1.wl001.sendgrid.net"
        zone.add(f"{selector}._domainkey.shop.example", "CNAME", f"{target}.")
        zone.add(target, "TXT", KEY)
    path = replace(SENDGRID, return_path="em1.shop.example")
    assert "em1.shop.example CNAME and its target" in await only(zone, path)
    zone.add("em1.shop.example", "CNAME", "u1.wl001.sendgrid.net.")
    zone.add("u1.wl001.sendgrid.net", "TXT", "v=spf1 ip4:203.0.113.9 -all")
    assert await check(zone, path) == ([], [])
    zone.add("bounces.other.example", "TXT", "v=spf1 ip4:203.0.113.9 -all")
    _, [note] = await check(zone, replace(path, return_path="bounces.other.example"))
    assert "bounces.other.example does not count for shop.example" in note
    zone.replace("_dmarc.shop.example", "TXT", "v=DMARC1; p=reject; aspf=s")
    assert "remove aspf=s" in (await check(zone, path))[1][0]


async def test_dmarc_is_missing_doubled_or_without_a_policy(zone):
    record = 'Set: _dmarc.shop.example TXT "v=DMARC1; p=none; rua=mailto:postmaster@shop.example"'
    zone.replace("_dmarc.shop.example", "TXT", "google-site-verification=1")
    assert record in await only(zone)
    zone.replace("_dmarc.shop.example", "TXT", "v=DMARC1; p=none", "v=DMARC1; p=reject")
    assert "there are 2 of them" in await only(zone)
    zone.replace("_dmarc.shop.example", "TXT", "v=DMARC1; rua=mailto:d@shop.example")
    assert "it has no policy (p=)" in await only(zone)


async def test_domain_takes_mail_and_is_nobody_elses(zone):
    zone.replace("shop.example", "MX", "0 .")
    zone.replace("shop.example", "TXT", "v=spf1 a:mail.shop.example -all")
    assert "takes no mail (null MX)" in await only(zone)
    zone.replace("shop.example", "MX")
    assert "neither MX nor address records" in await only(zone)
    zone.add("shop.example", "AAAA", "2001:db8::1")
    assert await check(zone) == ([], [])
    assert "belongs to a mail service" in await only(zone, domain="gmail.com")


async def test_long_answers_come_by_tcp_and_silence_is_said(zone):
    zone.add("shop.example", "TXT", *(f"verification-{number}={'x' * 200}" for number in range(8)))
    assert await check(zone) == ([], [])
    assert zone.by_tcp
    zone.refuses = True
    problems, [note] = await check(zone)
    assert not problems
    assert note.startswith("The records of shop.example were not checked: the name servers gave no answer")
    zone.refuses, zone.silent = False, True
    records = DnsRecords(DnsServer("127.0.0.1", zone.port), seconds=0.2)
    async with asyncio.timeout(2):
        silent = await check_sender(records, "shop.example", OWN)
    assert (silent.problems, len(silent.notes)) == ([], 1)
    assert "no name server answered" in silent.notes[0]


async def test_senders_of_brands_are_asked_in_the_encoded_form(context, brand, session, zone):
    settings = load_settings(
        _env_file=None,
        secret_key=SECRET_KEY,
        email_provider="smtp",
        smtp_url="smtps://u:p@mail.shop.example:465",
        email_from="Shop <hello@shop.example>",
        dkim_selectors="mail, ",
        dns_server=zone.address,
    )
    assert await load_senders(session, settings) == [("shop.example", SenderPath.of(settings))]
    path = SenderPath.of(settings)
    brand.email_from = "hallo@Grün.example"
    session.add(await session.merge(brand))
    await session.flush()
    assert await load_senders(session, settings, [brand.id]) == [("xn--grn-ioa.example", path)]
    reports = await check_senders(settings, [("shop.example", path), ("xn--grn-ioa.example", path)])
    assert [len(each.problems) for each in reports] == [0, 4]
    assert "xn--grn-ioa.example has no SPF record" in " ".join(reports[1].problems)
    outbox = SenderPath.of(context.settings)
    assert await check_senders(context.settings, [("shop.example", outbox)]) == [], "mail stays in the outbox"


async def test_a_brand_with_an_account_of_its_own_is_checked_as_its_mail_leaves(context, brand, session):
    entry = AccountEntry(Channel.email, "sendgrid", "abc", None, {"api_key": "SG.abc.def"})
    brand.email_from = "hi@acme.example"
    session.add(await session.merge(brand))
    await save_account(session, context.tokens, brand.id, entry, actor=cli_actor(brand.id), now=NOW)
    assert await load_senders(session, context.settings) == [("acme.example", SENDGRID)]

    url = {"url": "smtps://u:p@Smtp.gmail.com:465"}
    entry = read_entry(Channel.email, "smtp", url, None)
    assert isinstance(entry, AccountEntry)
    await save_account(session, context.tokens, brand.id, entry, actor=cli_actor(brand.id), now=NOW)
    ((domain, path),) = await load_senders(session, context.settings)
    assert (domain, path.host, path.include) == ("acme.example", "smtp.gmail.com", "include:_spf.google.com")
    assert path.keeps_return_path


def test_name_server_is_a_numeric_address():
    assert parse_dns_server("192.0.2.1") == DnsServer("192.0.2.1", 53)
    assert parse_dns_server("[2001:db8::1]:5353") == DnsServer("2001:db8::1", 5353)
    assert parse_dns_server("2001:db8::1") == DnsServer("2001:db8::1", 53)
    for text in ("ns.example", "192.0.2.1:x", "192.0.2.1:0", "[::1"):
        with pytest.raises(AppError, match="TENFOLD_DNS_SERVER"):
            load_settings(_env_file=None, dns_server=text)
