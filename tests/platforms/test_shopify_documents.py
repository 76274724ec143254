"""Every GraphQL document that we send is one of Shopify's own Admin schema."""

import pytest
from graphql import NoDeprecatedCustomRule, OperationType, parse, specified_rules, validate

from app.demo.fakes.shopify.schema import COVERED, HERE, load_schema
from app.platforms.shopify.documents import Document
from tests.specs.cut_shopify import documents

RULES = [*specified_rules, NoDeprecatedCustomRule]


@pytest.mark.parametrize("document", documents(), ids=lambda each: each.name)
def test_a_document_is_valid_and_uses_nothing_deprecated(document: Document):
    parsed = parse(document.text)
    assert validate(load_schema(), parsed, RULES) == []
    (operation,) = parsed.definitions
    assert operation.name.value == document.name
    assert (operation.operation is OperationType.MUTATION) == document.is_mutation


def test_every_document_has_a_name_of_its_own():
    names = [each.name for each in documents()]
    assert len(set(names)) == len(names) >= 20


def test_what_the_fake_covers_is_valid_too():
    assert validate(load_schema(), parse(COVERED.read_text()), RULES) == []


@pytest.mark.parametrize(
    "text",
    [
        "{ shop { colour } }",
        "{ webhookSubscriptions(firsts: 1) { nodes { id } } }",
        'mutation { discountCodeBasicCreate(basicCodeDiscount: {codes: "A"}) { userErrors { message } } }',
        "mutation { discountCodeBasicCreate(basicCodeDiscount: {context: {all: EVERYBODY}}) { userErrors { message } } }",
        "mutation { webhookSubscriptionCreate(topic: ORDERS_PAID) { userErrors { message } } }",
        'mutation { webhookSubscriptionCreate(topic: ORDERS_LOST, webhookSubscription: {uri: "https://a.example"}) { userErrors { message } } }',
        "mutation { discountRedeemCodeBulkAdd(discountId: 1, codes: [{}]) { userErrors { message } } }",
    ],
)
def test_a_field_an_input_or_a_value_that_shopify_lacks_is_an_error(text: str):
    assert validate(load_schema(), parse(text)) != []


def test_the_schema_is_small_and_keeps_its_source_and_licence():
    path = HERE / "schema.graphql"
    assert path.stat().st_size < 300_000
    assert "@shopify/dev-mcp" in path.read_text()
    assert "ISC License" in path.read_text()
