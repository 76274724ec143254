"""Shopify: signed by the client secret of the app over the body alone.

`adapter` leads to everything. Deliveries: `verify`, then `parse` by topic (`order`, `edits`,
`parcels`, `refunds`, `disputes`, `people`). Calls: `client` runs the documents (`documents`, and
`…_documents` by subject) with `access_tokens` within the `throttle`; `responses` says what came of
it. Orders: `orders` reads them, `order_body` writes them as webhooks do, `order_file` reads
exports. Codes: `codes`, `code_lookup`, `revoke`, `reward_codes`, `discount_shape`; `credit` is
store credit. Connecting: `connect`, `accounts`, `webhooks`, `topics`, and `findings` in words.
`session_tokens` are of pages that ask us from the shop.
"""
