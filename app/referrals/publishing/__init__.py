"""Codes that connected shops know: put there before their owners hear of them, watched, taken out.

- What a shop is to know of a code: `models` (its publication; what a check has found), `rules`,
  `new_publication`. `shops` says which shops, `shop_terms` names the codes that belong together,
  `locks` the order of locks.
- The sweep: `sweep` runs a batch, which `claim` begins, `call` brings to the platform, and `record`
  ends. Out again: `revoke`.
- Codes that lie ready: `pool`; `replace` gives one of these for a code that comes late.
- Each night `code_check` with `compare_codes`, and `findings` in words; `upkeep` fills pools, lets
  codes end and heeds new connections.
"""
