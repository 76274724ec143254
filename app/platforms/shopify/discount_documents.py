"""The GraphQL documents that put codes into a shop, find them there, and take them out again."""

from app.platforms.shopify.documents import Document

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

SELLS_SUBSCRIPTIONS = Document(
    "SellsSubscriptions",
    """
    query SellsSubscriptions { shop { features { sellsSubscriptions } } }
    """,
)

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

FIND_CUSTOMER = Document(
    "FindCustomer",
    """
    query FindCustomer($id: ID!) { customer(id: $id) { id } }
    """,
)

LIST_CODES = Document(
    "ListCodes",
    """
    query ListCodes($id: ID!, $first: Int!, $after: String, $newestFirst: Boolean!) {
      shop { features { sellsSubscriptions } }
      discountNode(id: $id) {
        discount {
          ... on DiscountCodeBasic {
            status
            endsAt
            usageLimit
            appliesOncePerCustomer
            combinesWith { orderDiscounts productDiscounts shippingDiscounts }
            customerGets {
              appliesOnSubscription
              value {
                ... on DiscountPercentage { percentage }
                ... on DiscountAmount { amount { amount } }
              }
            }
            minimumRequirement {
              ... on DiscountMinimumSubtotal { greaterThanOrEqualToSubtotal { amount } }
              ... on DiscountMinimumQuantity { greaterThanOrEqualToQuantity }
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
