import re

import pytest
from pydantic import ValidationError
from sqlalchemy import select, text

from app.base.actor import cli_actor
from app.base.audit import AuditAction, AuditEntry
from app.base.errors import AppError
from app.base.tokens import new_webhook_secret
from app.brands.add import add_brand, add_shop, change_programme, exchange_secret
from app.brands.amount_rules import amount_in
from app.brands.find import find_shop, load_programme, require_shop
from app.brands.programme import Programme
from app.brands.rules import AddressForm, Platform, accent_of, is_webhook_secret
from tests.support.constants import PROJECT


async def test_a_shop_is_found_by_its_slug(session, brand, shop):
    found = await find_shop(session, "acme")
    assert found is not None
    assert (found[0].id, found[1].id) == (brand.id, shop.id)
    assert await find_shop(session, "nobody") is None


async def test_a_slug_is_taken_once_in_the_installation(context, brand, shop):
    for slug in ("acme", "sendgrid", "twilio", "Über", ""):
        with pytest.raises(AppError):
            async with context.sessions.begin() as session:
                await add_shop(session, context.tokens, brand, slug, name="Again", actor=cli_actor(brand.id))
    with pytest.raises(AppError, match="already"):
        async with context.sessions.begin() as session:
            await add_brand(session, "acme", name="Again")


async def test_changed_terms_are_a_new_version_and_unchanged_ones_are_not(context, brand):
    changed = Programme.model_validate({"survey": {"delay_hours": 1}})
    for _ in range(2):
        async with context.sessions.begin() as session:
            await change_programme(session, brand.id, changed, actor=cli_actor(brand.id))
    async with context.sessions() as session:
        terms = await load_programme(session, brand.id)
    assert (terms.version, terms.programme.survey.delay_hours) == (2, 1)


def test_the_default_programme_is_the_contracts():
    shown = Programme().as_json()
    assert shown["survey"]["quiet_hours"] == {"from": "20:00", "to": "09:00"}
    assert shown["offer"]["friend_discount"] == {"kind": "percent", "value": "10.00"}
    assert shown["reward"] == {
        "kind": "code",
        "value": "10.00",
        "hold_days": 14,
        "hold_from": "delivered",
        "partial_refund": "proportional",
        "cap_per_referrer": None,
        "budget": None,
        "valid_days": 365,
    }
    assert Programme.model_validate(shown) == Programme()


def test_money_is_one_amount_or_one_for_each_currency():
    terms = Programme.model_validate({"reward": {"value": {"EUR": "10.00", "CHF": "11.00"}}})
    assert terms.as_json()["reward"]["value"] == {"EUR": "10.00", "CHF": "11.00"}
    assert Programme.model_validate(terms.as_json()) == terms
    assert (amount_in(terms.reward.value, "CHF"), amount_in(terms.reward.value, "USD")) == (11, None)
    for wrong in ({"EUR": 1.5}, {"EURO": "1.00"}, {}, {"EUR": "-1"}, "ten", 1.5):
        with pytest.raises(ValidationError):
            Programme.model_validate({"reward": {"value": wrong}})
    with pytest.raises(ValidationError, match="a percentage is one number"):
        Programme.model_validate({"offer": {"friend_discount": {"value": {"EUR": "10"}}}})


def test_the_same_combinations_are_the_same_terms_however_they_are_written():
    def stored(*given: str) -> object:
        terms = Programme.model_validate({"offer": {"combines_with": given}}).as_json()
        return terms["offer"]["combines_with"]

    assert (
        stored("product", "shipping", "product") == stored("shipping", "product") == ["shipping", "product"]
    )
    assert stored() == []
    with pytest.raises(ValidationError, match="combines_with"):
        stored("everything")


async def test_amounts_that_a_currency_cannot_hold_are_refused(context, brand, shop):
    async def put(reward: object) -> None:
        async with context.sessions.begin() as session:
            terms = Programme.model_validate({"reward": {"value": reward}})
            await change_programme(session, brand.id, terms, actor=cli_actor(brand.id))

    for wrong in ("10.005", {"JPY": "10.5"}, {"EUR": "1", "KWD": "1.0001"}):
        with pytest.raises((AppError, ValidationError)):
            await put(wrong)
    await put({"EUR": "10.50", "JPY": "1000", "KWD": "1.005"})
    await put("10.50")
    async with context.sessions.begin() as session:
        with pytest.raises(AppError, match=r"reward\.value: 10\.50 has more decimals than JPY"):
            await add_shop(
                session,
                context.tokens,
                brand,
                "acme-jp",
                name="Acme JP",
                currency="JPY",
                actor=cli_actor(brand.id),
            )


async def test_switches_and_dates_are_kept_where_a_put_leaves_them_out(context, brand):
    async def put(**terms: object) -> Programme:
        async with context.sessions.begin() as session:
            given = Programme.model_validate(terms)
            actor = cli_actor(brand.id)
            changed = await change_programme(session, brand.id, given, actor=actor, keep_switches=True)
            return changed.programme

    await put(surveys_enabled=False, ends_at="2027-01-01T00:00:00Z")
    kept = await put(reward={"hold_days": 3})
    assert (kept.surveys_enabled, kept.offers_enabled, kept.ends_at.year) == (False, True, 2027)
    assert (await put(surveys_enabled=True, ends_at=None)).ends_at is None
    with pytest.raises(AppError, match="ends_at: it must lie between the years 1970 and 2200"):
        await put(ends_at="9999-12-31T23:59:59Z")


async def test_two_webhook_secrets_are_good_while_one_is_exchanged_and_never_three(context, brand, shop):
    made = []
    actor = cli_actor(brand.id)
    for _ in range(2):
        async with context.sessions.begin() as session:
            made.append(await exchange_secret(session, context.tokens, shop, actor=actor))
    async with context.sessions.begin() as session:
        again = await exchange_secret(session, context.tokens, shop, actor=actor, webhook_secret=made[1])
        assert again == made[1]
    async with context.sessions() as session:
        found = await find_shop(session, "acme")
    assert found is not None
    assert [context.tokens.open(sealed) for sealed in found[1].sealed_secrets] == [made[1], made[0]]
    async with context.sessions() as session:
        actions = await session.scalars(
            select(AuditEntry.action).where(AuditEntry.subject_id == shop.id).order_by(AuditEntry.id)
        )
        assert list(actions) == [AuditAction.shop_added, *[AuditAction.secret_exchanged] * 2]
        with pytest.raises(AppError, match="no shop"):
            await require_shop(session, "nobody")


@pytest.mark.parametrize(
    ("secret", "platform", "usable"),
    [
        pytest.param(
            new_webhook_secret(), Platform.checkout, True, id="a new one"
        ),  # its value differs in each process that collects
        ("whsec_" + "QUJD" * 8, Platform.checkout, True),
        ("whsec_" + "QUJD" * 7, Platform.checkout, False),
        ("whsec_" + "QUJD" * 8 + "!", Platform.checkout, False),
        ("whsec_" + "QUJD" * 8 + "\n", Platform.checkout, False),
        ("QUJD" * 8, Platform.checkout, False),
        ("a platform's own", Platform.shopify, True),
        ("fifteen letters", Platform.shopify, False),
        ("a platform's öwn", Platform.shopify, False),
        ("whsec_short", Platform.shopify, False),
        ("of a webhook &amp; more", Platform.woocommerce, True),
    ],
)
async def test_a_secret_that_can_be_guessed_is_refused(session, context, brand, secret, platform, usable):
    assert is_webhook_secret(secret, platform) is usable
    add = add_shop(
        session,
        context.tokens,
        brand,
        "other",
        name="Other",
        platform=platform,
        webhook_secret=secret,
        actor=cli_actor(brand.id),
    )
    if usable:
        assert (await add)[1] == secret
    else:
        with pytest.raises(AppError, match="24 bytes"):
            await add


async def test_an_exchanged_secret_is_checked_alike(session, context, brand, shop):
    with pytest.raises(AppError, match="24 bytes"):
        await exchange_secret(
            session, context.tokens, shop, actor=cli_actor(brand.id), webhook_secret="whsec_short"
        )


async def test_a_reader_is_addressed_in_the_brands_form(session):
    brand = await add_brand(session, "du", name="Du", locale="de", address_form=AddressForm.informal)
    assert (brand.language_for(), brand.language_for("de-AT")) == ("de@informal", "de@informal")
    assert brand.language_for("en-GB") == "en"
    brand.address_form = AddressForm.formal
    assert brand.language_for("de-AT") == "de"


@pytest.mark.parametrize(
    ("branding", "accent"), [({}, None), ({"accent": "#0F5fA8"}, "0f5fa8"), ({"accent": "red;}"}, None)]
)
def test_nothing_but_a_colour_gets_into_a_page(branding, accent):
    assert accent_of(branding) == accent


def test_tags_that_the_database_cannot_hold_are_refused():
    with pytest.raises(ValidationError):
        Programme.model_validate({"survey": {"exclude": {"tags": ["\x00"]}}})


async def test_an_installation_may_have_a_range_of_brand_numbers_of_its_own(session):
    documented = re.search(
        r"^ *(ALTER TABLE brands .*;)$", (PROJECT / "docs/scaling.md").read_text(), re.MULTILINE
    )
    assert documented
    await session.execute(text(documented[1]))
    added = [await add_brand(session, slug, name=slug) for slug in ("one", "two")]
    assert [each.id for each in added] == [1_000_000, 1_000_001]
