"""A fake of WooCommerce's REST API: real HTTP on loopback, checked against the cut schema.

`server` is the HTTP, `resources` find what a call is for and check it by the `schema`; resources by
subject: `orders`, `coupons`, `webhooks`, with `errors`. `state` is what it knows. What people do in
the shop is in `orders` (`place_order`, `change_order`) and `coupons` (carts).
"""
