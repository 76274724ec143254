"""The referrers of a large brand, their codes, friends' orders, rewards and ledger; in SQL."""

from made_rows import BRAND, chance, one_line_of, one_of, row_id

_CODE = "'C' || translate(lpad(CAST(n AS text), 9, '0'), '01', 'XZ')"
_SLUG = "CAST(:slug AS text) || translate(lpad(CAST(n AS text), 8, '0'), '01', 'xz')"
_REJECTED = ("Same household.", "The friend is an employee.", "Asked for by the referrer.")
_FIRST = """SELECT DISTINCT ON (customer_id) * FROM made WHERE answered AND score >= 9
    ORDER BY customer_id, answered_at"""
_IS_HELD_OUT = f"{chance(29)} % 20 = 0"
_REFUSED = "minimum_not_met existing_customer existing_customer expired already_used_by_friend"


def _entries(
    kind: int, name: str, cause: str, lines: tuple[tuple[str, int], ...], at: str, where: str
) -> str:
    """Transactions of two lines each, of the friends' orders that meet a condition."""
    added = ", ".join(f"('{account}', {amount}, {place})" for place, (account, amount) in enumerate(lines))
    first = row_id(at, kind, "n * 2")
    return f"""INSERT INTO ledger_entries (brand_id, id, transaction_id, transaction_key, account, amount, currency,
            cause_kind, cause_id, referrer_id, occurred_at, posted_on)
        SELECT {BRAND}, {row_id(at, kind, "n * 2 + place")}, {first}, '{name}:' || n, account, amount, 'EUR',
            '{cause}', id, referrer_id, {at}, ({at})::date
        FROM friends CROSS JOIN (VALUES {added}) AS lines (account, amount, place) WHERE {where}"""


REFERRALS = (
    f"""CREATE TEMPORARY TABLE promoters ON COMMIT DROP AS
        SELECT row_number() OVER (ORDER BY n) AS place, n, customer_id, survey_id, shop_id, answered_at,
            response_id AS id
        FROM ({_FIRST}) AS first WHERE NOT {_IS_HELD_OUT}""",
    f"""INSERT INTO withheld_offers (brand_id, id, customer_id, survey_id, reason, at)
        SELECT {BRAND}, response_id, customer_id, survey_id, 'held_out', answered_at
        FROM ({_FIRST}) AS first WHERE {_IS_HELD_OUT}""",
    f"""INSERT INTO referrers (brand_id, id, customer_id, slug, shop_id, survey_id)
        SELECT {BRAND}, id, customer_id, {_SLUG}, shop_id, survey_id FROM promoters""",
    f"""INSERT INTO codes (brand_id, id, referrer_id, kind, code, display, terms_id, discount_kind,
            discount_value, currency, max_uses, uses, active, starts_at, expires_at, disabled_at)
        SELECT {BRAND}, id, id, 'share', {_CODE}, {_CODE}, CAST(:terms AS uuid), 'percent', 10, 'EUR', 100, 0,
            {chance(30)} % 1000 <> 0, answered_at, answered_at + interval '1 year',
            CASE {chance(30)} % 1000 WHEN 0 THEN answered_at + interval '9 days' END
        FROM promoters""",
    f"""INSERT INTO codes (brand_id, id, referrer_id, kind, parent_id, code, display, terms_id, discount_kind,
            discount_value, currency, max_uses, uses, active, starts_at, expires_at)
        SELECT {BRAND}, {row_id("answered_at", 9)}, id, 'friend', id, 'F' || {_CODE}, 'F' || {_CODE},
            CAST(:terms AS uuid), 'percent', 10, 'EUR', 1, 0, true, answered_at, answered_at + interval '1 year'
        FROM promoters WHERE {chance(31)} % 100 = 0""",
    f"""INSERT INTO code_publications (brand_id, code_id, shop_id, issued_id, code, terms_id, expires_at, state,
            urgent, attempt, trial, live_at, reason)
        SELECT {BRAND}, id, shop_id, id, {_CODE}, CAST(:terms AS uuid), answered_at + interval '1 year',
            CASE WHEN {chance(32)} % 2000 = 0 THEN 'failed' ELSE 'live' END, true, 0, false,
            CASE WHEN {chance(32)} % 2000 <> 0 THEN answered_at END,
            CASE WHEN {chance(32)} % 2000 = 0 THEN 'The shop refused the code.' END
        FROM promoters""",
    f"""INSERT INTO messages (brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority,
            status, address, locale, template_params, at_once, due_at, attempts, unknowns, refusals,
            possible_duplicate, sent_at, trial, created_at)
        SELECT {BRAND}, id, customer_id, shop_id, 'offer', id, 0, 'email', 'urgent', 'delivered', NULL, 'en',
            '{{}}', false, answered_at, 1, 0, 0, false, answered_at, false, answered_at FROM promoters""",
    f"""INSERT INTO attempts (brand_id, id, message_id, number, provider, status, started_at, finished_at,
            created_at)
        SELECT {BRAND}, id, id, 1, 'outbox', 'accepted', answered_at, answered_at,
            answered_at + make_interval(secs => 1 + power({chance(28)} % 1000 / 125.0, 2)) FROM promoters""",
    f"""INSERT INTO visits (brand_id, id, referrer_id, visitor, at)
        SELECT {BRAND}, {row_id("answered_at + make_interval(hours => day)", 3)}, id,
            decode(lpad(to_hex(n * 4 + day), 32, '0'), 'hex'), answered_at + make_interval(hours => day)
        FROM promoters CROSS JOIN generate_series(1, 2) AS day WHERE n % 2 = 0""",
    f"""CREATE TEMPORARY TABLE friends ON COMMIT DROP AS
        SELECT made.n, made.id, made.at, made.shop_id, made.customer_id, promoters.id AS referrer_id,
            CASE WHEN {chance(33, "made.n")} % 10 = 0 THEN 'refused'
                WHEN made.at > now() - interval '30 days' AND {chance(34, "made.n")} % 10 = 0 THEN 'in_review'
                WHEN made.at > now() - interval '14 days' THEN 'pending'
                WHEN {chance(34, "made.n")} % 50 = 1 THEN 'reversed'
                WHEN {chance(34, "made.n")} % 200 = 2 THEN 'rejected' ELSE 'approved' END AS status
        FROM made JOIN promoters ON promoters.place = 1 + {chance(35, "made.n")}
            % (SELECT count(*) FROM promoters) WHERE made.n % 50 = 0""",
    f"""INSERT INTO redemptions (brand_id, id, order_id, shop_id, code_id, referrer_id, friend_id,
            friend_email_key, one_per_friend, status, reason, amount_off, currency, terms_id, holds_use,
            hold_until, approved_at, reversed_at)
        SELECT {BRAND}, id, id, shop_id, referrer_id, referrer_id, customer_id, 'friend' || n, true, status,
            CASE status WHEN 'refused' THEN CASE WHEN {chance(36)} % 500 = 0 THEN 'currency_mismatch'
                    ELSE {one_of(_REFUSED, 37)} END
                WHEN 'in_review' THEN 'suspected_fraud' WHEN 'reversed' THEN 'refunded'
                WHEN 'rejected' THEN {one_line_of(_REJECTED, 38)} END,
            800, 'EUR', CAST(:terms AS uuid), status <> 'refused', at + interval '14 days',
            CASE status WHEN 'approved' THEN at + interval '14 days' END,
            CASE status WHEN 'reversed' THEN at + interval '10 days' END
        FROM friends""",
    f"""INSERT INTO rewards (brand_id, id, redemption_id, referrer_id, kind, amount, net_amount, used_amount,
            lapsed_amount, currency, status, frozen, granted_at, expires_at, expired_at, used_at)
        SELECT {BRAND}, id, id, referrer_id, 'credit', 1000,
            CASE WHEN status IN ('reversed', 'rejected') THEN 0 ELSE 1000 END,
            CASE became WHEN 'used' THEN 1000 ELSE 0 END, CASE became WHEN 'expired' THEN 1000 ELSE 0 END, 'EUR',
            became, false, CASE status WHEN 'approved' THEN at + interval '14 days' END,
            CASE status WHEN 'approved' THEN at + interval '379 days' END,
            CASE became WHEN 'expired' THEN at + interval '379 days' END,
            CASE became WHEN 'used' THEN at + interval '50 days' END
        FROM (
            SELECT *, CASE WHEN status IN ('pending', 'in_review') THEN 'pending'
                WHEN status IN ('reversed', 'rejected') THEN 'cancelled'
                WHEN n % 150 = 0 AND at < now() - interval '60 days' THEN 'used'
                WHEN at < now() - interval '380 days' THEN 'expired' ELSE 'granted' END AS became
            FROM friends WHERE status <> 'refused'
        ) AS earned""",
    _entries(
        4, "discount", "redemption", (("discount_cost", 800), ("friends", -800)), "at", "status <> 'refused'"
    ),
    _entries(
        5, "leak", "redemption", (("leaked_discount", 800), ("friends", -800)), "at", "status = 'refused'"
    ),
    _entries(
        6,
        "grant",
        "redemption",
        (("reward_cost", 1000), ("referrers", -1000)),
        "(at + interval '14 days')",
        "status = 'approved'",
    ),
    _entries(
        7,
        "use",
        "reward",
        (("referrers", 1000), ("spent_rewards", -1000)),
        "(at + interval '50 days')",
        "status = 'approved' AND n % 150 = 0 AND at < now() - interval '60 days'",
    ),
    _entries(
        8,
        "lapse",
        "reward",
        (("referrers", 1000), ("lapsed_rewards", -1000)),
        "(at + interval '379 days')",
        "status = 'approved' AND n % 150 <> 0 AND at < now() - interval '380 days'",
    ),
    f"""INSERT INTO credit_accounts (brand_id, referrer_id, currency, balance, reserved)
        SELECT {BRAND}, referrer_id, 'EUR', -sum(amount), 0 FROM ledger_entries
        WHERE brand_id = {BRAND} AND account = 'referrers' GROUP BY referrer_id""",
)
