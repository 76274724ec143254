"""WooCommerce: signed by each webhook's own secret over the body alone.

`adapter` leads to everything. Deliveries: `verify`, then `parse` by topic (`order`, `amounts`,
`people`, `meta`, `refunds`) by the shop's own `settings`. Calls: `client`; `responses` says what
came of them. Orders: `orders` reads them, `order_file` and `file_lines` read exports. Codes:
`codes`, `reward_codes`, `coupon_shape`. Connecting: `connect`, `accounts`, `webhooks`, and
`findings` in words.
"""
