"""Incoming deliveries: stored raw, acknowledged, then processed in batches in order of arrival.

- A request: `routes` has the endpoints, `verify` checks the signature, `inbox` commits in groups by
  `store`. What the API shows: `schemas`.
- Processing: `process` is the sweep, and the order of all steps. It reads by `claim`, parses by
  `parse`, leaves out what says nothing of an unknown order by `unknown_orders`, finds the faulty
  delivery by `isolate` and names why by `failures`; `links` remembers whom a delivery names,
  `data_requests` who asks for their data. States and grouping: `rules`;
  tables: `models`, `backfill_models`.
- Content that must be fetched first: `fetch` with `fetch_store`.
- Orders that no webhook brought: `backfill` applies them. Of files: `import_orders` (batches),
  `order_file`, `read_orders`, `read_ahead` and `reading_process` (reading), `uploaded_imports`,
  `import_parts` and `import_sweep` (uploads). Of a platform: `sync` (one run), `sync_read`,
  `sync_rows`, `sync_request`, `sync_sweep` (each night).
- Erasing: `erase` (people, in all tables), `erase_named` (on somebody's word), `erase_shop`,
  `erase_sweep` (raw deliveries, later), `strip_erased` (what waited meanwhile). Whom a body names:
  `identities`, `mentions`, `named`; `bodies` reads and empties them.
- `retain` deletes what is too old; `recover` brings a restored database up to its journal.
"""
