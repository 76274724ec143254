"""Credit that a connected shop holds for referrers, so that they spend it in its cart.

A shop *holds* a balance here; the *hold* of a reward, before it is granted, is in `period_rules`.
Two forms: an account of the customer's (Shopify), and a coupon for their address (WooCommerce).

- What is held: `models` (tables), `rules` (what a shop must have, and the next move), `take_up`
  (where a reward that is being granted is to be spent), `holdings` (balances are taken up, due
  again, ended).
- The sweep: `sweep` runs an attempt, which `claim` begins. An account is read, `plan_move` writes
  the next move down, the platform is called, `record_move` records it; `coupon` is the same for a
  coupon. `settle` ends an attempt.
- What was spent: `uses` (by orders that carry a coupon), `book` (in rewards and the ledger).
"""
