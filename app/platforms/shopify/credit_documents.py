"""The GraphQL documents about store credit, checked as those of `documents.py`.

None of them carries the directive `@idempotent`: the schema allows it where a mutation's
description says so, and these say nothing of it.
"""

from app.platforms.shopify.documents import Document

CREDIT_ACCOUNTS = Document(
    "CreditAccounts",
    """
    query CreditAccounts($id: ID!) {
      customer(id: $id) {
        id
        storeCreditAccounts(first: 50) { nodes { id balance { amount currencyCode } } }
      }
    }
    """,
)
"""The accounts of a customer, one for each currency."""

CREDIT_ENTRIES = Document(
    "CreditEntries",
    """
    query CreditEntries($id: ID!, $first: Int!, $after: String) {
      storeCreditAccount(id: $id) {
        id
        balance { amount currencyCode }
        transactions(first: $first, after: $after, reverse: true) {
          nodes {
            __typename
            amount { amount }
            balanceAfterTransaction { amount }
            event
            ... on StoreCreditAccountCreditTransaction { id expiresAt remainingAmount { amount } }
            ... on StoreCreditAccountDebitTransaction { id }
            ... on StoreCreditAccountDebitRevertTransaction { id }
            ... on StoreCreditAccountExpirationTransaction { creditTransaction { id } }
          }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
    """,
)
"""A page of an account's transactions, the newest first."""

CREDIT_ACCOUNT = Document(
    "CreditAccount",
    """
    mutation CreditAccount($id: ID!, $credit: StoreCreditAccountCreditInput!) {
      storeCreditAccountCredit(id: $id, creditInput: $credit) {
        storeCreditAccountTransaction {
          id
          balanceAfterTransaction { amount }
          account { id }
        }
        userErrors { field message code }
      }
    }
    """,
    is_mutation=True,
)
"""With a customer's id it makes the account where there is none."""

DEBIT_ACCOUNT = Document(
    "DebitAccount",
    """
    mutation DebitAccount($id: ID!, $debit: StoreCreditAccountDebitInput!) {
      storeCreditAccountDebit(id: $id, debitInput: $debit) {
        storeCreditAccountTransaction {
          id
          balanceAfterTransaction { amount }
          account { id }
        }
        userErrors { field message code }
      }
    }
    """,
    is_mutation=True,
)

CREDIT_IS_ON = Document(
    "CreditIsOn",
    """
    query CreditIsOn { storeCreditConfiguration { storeCreditEnabled } }
    """,
)
"""Whether the checkout lets customers spend store credit."""
