"""A fake of Shopify's Admin API, which executes on Shopify's own schema.

`server` is the HTTP. `execute` runs a document on the `schema` within what it may `cost` and what
the app may see (`access`); resolvers by subject: `orders`, `discounts` with `discount_shape`,
`webhooks`, `credit`, with `paging`. `state` and `credit_state` are what it knows. What people do
in the shop, which no API has: `buying` and `carts`.
"""
