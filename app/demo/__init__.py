"""The demo: a shop whose weeks pass in seconds.

- What happens: `scenario` (deliveries, responses, phases), drawn by `generated_shop` with `people`,
  or real orders by `olist`.
- How it happens: `run` from start to end, in an `environment` of its own; `runner` goes tick by
  tick at the time of `simulated_clock`, which `shared_clock` gives to the web process too. `client`
  is the HTTP of shop and customers, `spending` what referrers do with what they earned.
- Where people buy: `storefronts`, on a checkout or on one of the `fakes` by `shopify_storefront`
  and `woocommerce_storefront`.
- What one sees: `look` (the brand's face), `console`, `figures`, `story`.
"""
