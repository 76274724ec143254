"""What the team and the shops of a large brand did: tags, the audit log, deliveries; in SQL."""

from made_rows import BRAND, ORDERS, chance, one_line_of, one_of, row_id, spread

_TAGS = ("Delivery", "Size", "Quality", "Colour", "Service", "Price")
_ACTIONS = "people_listed people_listed people_listed response_changed response_noted exported signed_in"
_AUDITED = f"({ORDERS} / 10)"
_STAFF = "(CAST(:staff AS uuid[]))[1 + n % cardinality(CAST(:staff AS uuid[]))]"

TEAM = (
    f"""INSERT INTO response_tags (brand_id, response_id, key, name)
        SELECT {BRAND}, response_id, lower(name), name FROM (
            SELECT response_id, CASE WHEN {chance(40)} % 5000 = 0 THEN 'Zipper'
                ELSE {one_line_of(_TAGS, 41)} END AS name
            FROM made WHERE answered AND score <= 6 AND {chance(42)} % 10 < 3
        ) AS tagged""",
    f"""INSERT INTO suspected_leaks (brand_id, code_id, reason, orders, turned_away, visits, found_at)
        SELECT {BRAND}, id, 'turned_away', 12, 9, 3, answered_at + interval '20 days'
        FROM promoters WHERE {chance(43)} % 5000 = 0""",
    f"""INSERT INTO audit_entries (brand_id, id, actor_kind, actor_id, action, subject_kind, subject_id, fields, at)
        SELECT {BRAND}, {row_id("at", 10)}, CASE WHEN n % 50 = 0 THEN 'cli' ELSE 'staff' END,
            CASE WHEN n % 50 <> 0 THEN {_STAFF} END,
            CASE WHEN n % 5000 = 0 THEN 'key_added' ELSE {one_of(_ACTIONS, 44)} END, 'customers', NULL,
            '["rows"]', at
        FROM (SELECT n, {spread(_AUDITED)} AS at FROM generate_series(1, {_AUDITED}) AS n) AS done""",
    f"""INSERT INTO deliveries (brand_id, id, shop_id, source, topic, external_id, body, body_hash, status, reason,
            received_at, processed_at)
        SELECT {BRAND}, id, shop_id, 'api', 'order', 'd' || n, '', '',
            CASE WHEN {chance(45)} % 5000 = 0 THEN 'failed' ELSE 'processed' END,
            CASE WHEN {chance(45)} % 5000 = 0 THEN 'unreadable' END, at, at
        FROM made WHERE at > now() - interval '90 days'""",
)
