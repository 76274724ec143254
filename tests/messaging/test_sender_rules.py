"""What SPF, DKIM and DMARC records say, by tables of edges."""

import base64

import pytest

from app.messaging import sender_rules as rules
from tests.support.dkim import key_of


@pytest.mark.parametrize(
    ("text", "terms", "redirect", "errors"),
    [
        ("v=spf1", [], None, 0),
        ("v=spf1 -all", [("-", "all", "")], None, 0),
        ("v=spf1 all", [("+", "all", "")], None, 0),
        (
            "V=SPF1 a mx/24 a:M.example/24//64 ~ALL",
            [("+", "a", ""), ("+", "mx", "/24"), ("+", "a", "m.example/24//64"), ("~", "all", "")],
            None,
            0,
        ),
        ("v=spf1 ip6:2001:db8::/32 ?all", [("+", "ip6", "2001:db8::/32"), ("?", "all", "")], None, 0),
        ("v=spf1 -all include:x.example", [("-", "all", "")], None, 0),
        ("v=spf1 redirect=x.example exp=y.example", [], "x.example", 0),
        ("v=spf1 redirect=x.example -all", [("-", "all", "")], None, 0),
        ("v=spf1 includes:x.example ip4 include: ~all", [("~", "all", "")], None, 3),
        ("v=spf1 exists:%{i}.x.example ~all", [("+", "exists", "%{i}.x.example"), ("~", "all", "")], None, 0),
    ],
)
def test_spf_is_read_up_to_all(text, terms, redirect, errors):
    found = rules.parse_spf(text)
    assert [(each.qualifier, each.name, each.value) for each in found.terms] == terms
    assert (found.redirect, len(found.errors)) == (redirect, errors)


def test_records_to_set_keep_what_is_there():
    assert rules.spf_with("v=spf1 mx -all", "a:m.example") == "v=spf1 mx a:m.example -all"
    assert rules.spf_with("v=spf1 redirect=x.example", "mx") == "v=spf1 mx redirect=x.example"
    assert rules.spf_with("v=spf1 mx", "a:m.example") == "v=spf1 mx a:m.example ~all"
    assert rules.merged_spf(["v=spf1 mx -all", "v=spf1 mx a ?all"]) == "v=spf1 mx a ~all"
    assert rules.spf_without_everybody("v=spf1 mx +all") == "v=spf1 mx ~all"
    assert not rules.is_spf("v=spf10 all")
    assert rules.parse_spf("v=spf1 +all").everybody
    assert not rules.parse_spf("v=spf1 -all").everybody


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("v=DKIM1; k=rsa; p=", "revoked"),
        ("v=DKIM1; k=rsa", "no DKIM key"),
        ("v=spf1 -all", "no DKIM key"),
        ("v=DKIM1; p=MIGfMA0GCSq", "cut or mistyped"),
        ("v=DKIM1; p=%%%", "cut or mistyped"),
        (f"k=ed25519; p={base64.b64encode(bytes(32)).decode()}", None),
        (f"k=ed25519; p={base64.b64encode(bytes(31)).decode()}", "no DKIM key"),
    ],
)
def test_why_a_text_is_no_key(text, reason):
    found = rules.key_problem(text)
    assert found is None if reason is None else found and reason in found


def test_keys_have_1024_bits():
    assert rules.key_problem(f"v=DKIM1; k=rsa; p={key_of(1024)}") is None
    key = key_of(2048)
    assert rules.key_problem(f"p={key[:100]} {key[100:]};") is None
    assert rules.key_problem(SHORT_KEY) == "is a key of 512 bits, and 1024 are needed"


SHORT_KEY = "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAq1SpjOsfCtMCAwEAAQ=="


def test_dmarc_needs_a_policy():
    assert rules.parse_dmarc("v=DMARC1; p=none") == rules.Dmarc("none", strict_spf=False, strict_dkim=False)
    assert rules.parse_dmarc("v=DMARC1;p=Reject;aspf=s;adkim=s") == rules.Dmarc(
        "reject", strict_spf=True, strict_dkim=True
    )
    assert rules.parse_dmarc("v=DMARC1; rua=mailto:a@b.example") is None
    assert rules.is_dmarc("v=DMARC1; p=none")
    assert not rules.is_dmarc("p=none; v=DMARC1")
    assert rules.parents_of("a.b.shop.example") == ["a.b.shop.example", "b.shop.example", "shop.example"]
    assert rules.parents_of("shop.example") == ["shop.example"]
    assert rules.parents_of("example") == ["example"]
