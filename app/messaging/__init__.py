"""Messages to customers: templates, messages, attempts, and what providers report about them.

- In: `queue` is the only way to send or cancel; states are in `rules`, tables in `models`.
- What a message says: `templates` (the registry), `sources` and `versions` (contents by hash),
  `render`, `look`; brands' own texts in `own_texts`, `text_rules`, `text_schemas`, `lint_rules` and
  `gsm`; seen before or after by `preview`, `send_sample` and `as_sent`.
- Sending: `send_sweeps` run a Dispatcher (`dispatch`). It looks by `find_work`, claims by `claim`,
  which decides by `due_messages`, makes batches by `compose`, sends by `send_apart` and
  `side_by_side`, and records by `outcomes`. `journal` has it before it goes out, `recover` reads
  that into a restored database.
- By whom: `providers` (a folder each), `accounts`, `account_rules`, `account_schemas` and
  `own_providers` (brands' own), `circuits` and `circuit_rules` (providers that fail).
- What comes back: `provider_routes` has the endpoints, `event_inbox` commits what comes one by one,
  `provider_events` and `provider_event_rules` say what it proves, `attribute` finds whose it is;
  `opt_out` and `stop_words` are for texts to us.
- By people: `resend`, `schemas` (the API), `erase`.
- Whether mail may come from a domain: `sender_check`, `sender_rules`, `sender_spf`, `sender_path`.
"""
