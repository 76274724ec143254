"""The GraphQL documents that we send to Shopify's Admin API.

Each is checked by a test against Shopify's own schema. A field that is new in a document must be in
the cut schema: `tests/specs/cut_shopify.py` makes it.
"""

from dataclasses import dataclass

API_VERSION = "2026-07"
"""The version of the Admin API that every call names. Shopify serves a version for a year."""


@dataclass(frozen=True, slots=True)
class Document:
    """One operation, named as in its text."""

    name: str
    text: str
    is_mutation: bool = False


SHOP_FACTS = Document(
    "ShopFacts",
    """
    query ShopFacts {
      shop { name myshopifyDomain currencyCode ianaTimezone primaryDomain { host } }
      currentAppInstallation { accessScopes { handle } }
    }
    """,
)
"""Whose shop it is, and what our app may do there."""

PERSONAL_DATA = Document(
    "PersonalData",
    """
    query PersonalData {
      orders(first: 1, sortKey: CREATED_AT, reverse: true) { nodes { id email phone customer { id } } }
    }
    """,
)
"""The newest order with what personal data our app is shown of it; errors name what it is not."""

LIST_WEBHOOKS = Document(
    "ListWebhooks",
    """
    query ListWebhooks($after: String) {
      webhookSubscriptions(first: 100, after: $after) {
        nodes { id topic uri format includeFields filter }
        pageInfo { hasNextPage endCursor }
      }
    }
    """,
)
"""A page of our app's webhooks in the shop; another app's are never among them."""

CREATE_WEBHOOK = Document(
    "CreateWebhook",
    """
    mutation CreateWebhook($topic: WebhookSubscriptionTopic!, $uri: String!) {
      webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $uri, format: JSON}) {
        webhookSubscription { id }
        userErrors { field message }
      }
    }
    """,
    is_mutation=True,
)

DELETE_WEBHOOK = Document(
    "DeleteWebhook",
    """
    mutation DeleteWebhook($id: ID!) {
      webhookSubscriptionDelete(id: $id) {
        deletedWebhookSubscriptionId
        userErrors { field message }
      }
    }
    """,
    is_mutation=True,
)

CREATE_DISCOUNT = Document(
    "CreateDiscount",
    """
    mutation CreateDiscount($discount: DiscountCodeBasicInput!) {
      discountCodeBasicCreate(basicCodeDiscount: $discount) {
        codeDiscountNode {
          id
          codeDiscount { ... on DiscountCodeBasic { codes(first: 1) { nodes { id code } } } }
        }
        userErrors { field message code }
      }
    }
    """,
    is_mutation=True,
)
"""A discount cannot be without a code: its first one is made with it."""

UPDATE_DISCOUNT = Document(
    "UpdateDiscount",
    """
    mutation UpdateDiscount($id: ID!, $discount: DiscountCodeBasicInput!) {
      discountCodeBasicUpdate(id: $id, basicCodeDiscount: $discount) {
        codeDiscountNode { id }
        userErrors { field message code }
      }
    }
    """,
    is_mutation=True,
)

ADD_CODES = Document(
    "AddCodes",
    """
    mutation AddCodes($id: ID!, $codes: [DiscountRedeemCodeInput!]!) {
      discountRedeemCodeBulkAdd(discountId: $id, codes: $codes) {
        bulkCreation { id }
        userErrors { field message code }
      }
    }
    """,
    is_mutation=True,
)
"""Shopify makes the codes after it has responded; `CODES_DONE` says when."""

CODES_DONE = Document(
    "CodesDone",
    """
    query CodesDone($id: ID!) {
      discountRedeemCodeBulkCreation(id: $id) { done codesCount importedCount failedCount }
    }
    """,
)

CODES_MADE = Document(
    "CodesMade",
    """
    query CodesMade($id: ID!, $first: Int!) {
      discountRedeemCodeBulkCreation(id: $id) {
        done
        codesCount
        importedCount
        failedCount
        codes(first: $first) { nodes { code discountRedeemCode { id } errors { message code } } }
      }
    }
    """,
)
"""As `CODES_DONE`, with the result of each code; that costs three points a code."""

FIND_CODE = Document(
    "FindCode",
    """
    query FindCode($code: String!) {
      codeDiscountNodeByCode(code: $code) {
        id
        codeDiscount {
          ... on DiscountCodeBasic { tags codes(first: 10, query: $code) { nodes { id code } } }
        }
      }
    }
    """,
)
"""Whose discount a code belongs to. The inner search may find other codes too, or not yet this
one."""

LIST_CODES = Document(
    "ListCodes",
    """
    query ListCodes($id: ID!, $first: Int!, $after: String, $newestFirst: Boolean!) {
      discountNode(id: $id) {
        discount {
          ... on DiscountCodeBasic {
            status
            endsAt
            usageLimit
            appliesOncePerCustomer
            combinesWith { orderDiscounts productDiscounts shippingDiscounts }
            customerGets {
              value {
                ... on DiscountPercentage { percentage }
                ... on DiscountAmount { amount { amount } }
              }
            }
            minimumRequirement {
              ... on DiscountMinimumSubtotal { greaterThanOrEqualToSubtotal { amount } }
            }
            codes(first: $first, after: $after, reverse: $newestFirst) {
              nodes { id code asyncUsageCount }
              pageInfo { hasNextPage endCursor }
            }
          }
        }
      }
    }
    """,
)
"""A discount as the shop has it, with a page of its codes."""

DELETE_CODES = Document(
    "DeleteCodes",
    """
    mutation DeleteCodes($id: ID!, $ids: [ID!]) {
      discountCodeRedeemCodeBulkDelete(discountId: $id, ids: $ids) {
        job { id }
        userErrors { field message code }
      }
    }
    """,
    is_mutation=True,
)

JOB_DONE = Document(
    "JobDone",
    """
    query JobDone($id: ID!) { job(id: $id) { done } }
    """,
)
"""Whether Shopify has deleted codes."""

_MONEY = "{ shopMoney { amount } }"
_ADDRESS = "{ firstName lastName address1 address2 zip city countryCodeV2 phone }"
_ORDER = f"""
        legacyResourceId name confirmationNumber createdAt updatedAt processedAt cancelledAt currencyCode taxesIncluded
        displayFinancialStatus displayFulfillmentStatus test tags sourceName email phone customerLocale
        customerAcceptsMarketing discountCodes
        totalPriceSet {{ shopMoney {{ amount }} presentmentMoney {{ amount }} }}
        currentTotalPriceSet {_MONEY} subtotalPriceSet {_MONEY} totalDiscountsSet {_MONEY}
        totalShippingPriceSet {_MONEY}
        customAttributes {{ key value }}
        customerJourneySummary {{ lastVisit {{ landingPage }} }}
        customer {{
          legacyResourceId firstName lastName locale numberOfOrders
          orders(first: 3) {{ nodes {{ id }} }}
          defaultEmailAddress {{ emailAddress marketingState marketingOptInLevel marketingUpdatedAt }}
          defaultPhoneNumber {{ phoneNumber }}
          defaultAddress {{ countryCodeV2 }}
        }}
        billingAddress {_ADDRESS}
        shippingAddress {_ADDRESS}
        discountApplications(first: 2) {{ nodes {{ index ... on DiscountCodeApplication {{ code }} }} }}
        shippingLines(first: $few) {{
          nodes {{ isRemoved discountedPriceSet {_MONEY} taxLines {{ priceSet {_MONEY} }} }}
          pageInfo {{ hasNextPage }}
        }}
        lineItems(first: $lines) {{
          nodes {{ id title sku quantity originalUnitPriceSet {_MONEY} }}
          pageInfo {{ hasNextPage }}
        }}
        refunds(first: $refunds) {{
          legacyResourceId createdAt processedAt
          refundLineItems(first: $few) {{ nodes {{ quantity lineItem {{ id }} }} pageInfo {{ hasNextPage }} }}
          refundShippingLines(first: $few) {{
            nodes {{ subtotalAmountSet {_MONEY} taxAmountSet {_MONEY} }}
            pageInfo {{ hasNextPage }}
          }}
          transactions(first: $few) {{ nodes {{ kind status amountSet {_MONEY} }} pageInfo {{ hasNextPage }} }}
        }}
        fulfillments(first: $refunds) {{
          legacyResourceId status displayStatus createdAt updatedAt deliveredAt totalQuantity
        }}
"""
"""What is read of an order; money alone in the shop's currency, but for the total."""

LIST_ORDERS = Document(
    "ListOrders",
    f"""
    query ListOrders(
      $first: Int!, $after: String, $query: String!, $lines: Int!, $refunds: Int!, $few: Int!
    ) {{
      orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
        nodes {{ id {_ORDER} }}
        pageInfo {{ hasNextPage endCursor }}
      }}
    }}
    """,
)
"""A page of the orders that were changed since a time, the one that was changed first at the
beginning."""

ONE_ORDER = Document(
    "OneOrder",
    f"""
    query OneOrder($id: ID!, $lines: Int!, $refunds: Int!, $few: Int!) {{
      order(id: $id) {{ id {_ORDER} }}
    }}
    """,
)
"""One order as it is now, with more of its lists than a page of many has room for."""

DELETE_DISCOUNT = Document(
    "DeleteDiscount",
    """
    mutation DeleteDiscount($id: ID!) {
      discountCodeDelete(id: $id) { deletedCodeDiscountId userErrors { field message code } }
    }
    """,
    is_mutation=True,
)
"""With all its codes; for discounts that have one."""

DOCUMENTS = (
    SHOP_FACTS,
    PERSONAL_DATA,
    LIST_WEBHOOKS,
    CREATE_WEBHOOK,
    DELETE_WEBHOOK,
    CREATE_DISCOUNT,
    UPDATE_DISCOUNT,
    ADD_CODES,
    CODES_DONE,
    CODES_MADE,
    FIND_CODE,
    LIST_CODES,
    DELETE_CODES,
    JOB_DONE,
    LIST_ORDERS,
    ONE_ORDER,
    DELETE_DISCOUNT,
)
"""All of them."""
