"""The GraphQL documents that read a shop's orders."""

from app.platforms.shopify.documents import Document

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
          nodes {{ id title sku quantity requiresShipping unfulfilledQuantity originalUnitPriceSet {_MONEY} }}
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
          legacyResourceId status displayStatus createdAt updatedAt deliveredAt totalQuantity requiresShipping
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
