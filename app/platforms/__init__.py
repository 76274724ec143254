"""The shop platforms, one folder each, and the shops' connections to them.

An adapter turns its platform's bytes into our events, and our requests into its calls:
`checkout` (a shop's own, which is never called), `shopify`, `woocommerce`.

- What an adapter does: `protocol`, with `code_protocol` and `credit_protocol` for those that can;
  `registry` has them all. What it is given and returns: `delivery_types`, `events`,
  `connection_types`, `discounts` (friends' codes), `reward_codes`, `shop_credit`, `order_files`,
  `settings`, `documentation`.
- What adapters share: `fields` (a body field by field), `signatures`, `standard_webhooks`,
  `delivery_id`, `links`, `consent_words`, `recipient`, `calls` (the HTTP session).
- A shop's connection: `models`, `connections` (stored, sealed), `connect`, `check` and
  `check_sweep` with `rules`, `schemas` (the API). A shop's settings: `shop_settings`. What its
  platform makes of the brand's rewards: `new_shop`, `default_reward`.
"""
