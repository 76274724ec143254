"""What tests start from, made by the steps of the product: a customer is identified, an order is
recorded, facts are folded in, codes are issued.

Two modules write rows directly: `rows` for tests of numbers, lists and invariants, which need known
states side by side; and `customers.put_customer` for a customer as no delivery makes one.
"""
