"""The invariants of erasure: nothing personal is left of somebody who was erased.

A customer whose erasure still has a pass due is left out: a transaction that ran beside it may have
written something that this pass deletes.
"""

from app.insight.invariant_types import Invariant
from app.surveys.models import IS_OPEN

_ERASED = """
    customers.erased_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM erasures WHERE erasures.brand_id = customers.brand_id
            AND erasures.customer_id = customers.id AND erasures.due_at IS NOT NULL)
"""

INVARIANTS = (
    Invariant(
        "erased_has_no_details",
        "an erased customer has no address, name, place, shop's id or consent",
        "cus",
        f"""
        SELECT customers.brand_id, customers.id AS row FROM customers WHERE {_ERASED} AND (
            coalesce(email, email_key, phone, first_name, last_name, locale, time_zone, country) IS NOT NULL
            OR EXISTS (SELECT FROM customer_references AS r
                WHERE r.brand_id = customers.brand_id AND r.customer_id = customers.id)
            OR EXISTS (SELECT FROM former_references AS r
                WHERE r.brand_id = customers.brand_id AND r.customer_id = customers.id)
            OR EXISTS (SELECT FROM consent_facts AS c
                WHERE c.brand_id = customers.brand_id AND c.customer_id = customers.id))
        """,
    ),
    Invariant(
        "erased_has_no_message_content",
        "a message to an erased customer has no address and no parameters",
        "msg",
        f"""
        SELECT messages.brand_id, messages.id AS row FROM customers
        JOIN messages ON messages.brand_id = customers.brand_id AND messages.customer_id = customers.id
        WHERE {_ERASED} AND (messages.address IS NOT NULL OR messages.template_params <> '{{}}')
        """,
    ),
    Invariant(
        "erased_has_no_comment",
        "a response of an erased customer has no comment",
        "rsp",
        f"""
        SELECT responses.brand_id, responses.id AS row FROM customers
        JOIN responses ON responses.brand_id = customers.brand_id AND responses.customer_id = customers.id
        WHERE {_ERASED} AND responses.comment IS NOT NULL
        """,
    ),
    Invariant(
        "erased_has_no_notes",
        "a response of an erased customer has no notes, replies or tags, and waits for nobody",
        "rsp",
        f"""
        SELECT responses.brand_id, responses.id AS row FROM customers
        JOIN responses ON responses.brand_id = customers.brand_id AND responses.customer_id = customers.id
        WHERE {_ERASED} AND (
            {IS_OPEN} OR responses.assignee_id IS NOT NULL
            OR EXISTS (SELECT FROM response_tags AS tags
                WHERE tags.brand_id = responses.brand_id AND tags.response_id = responses.id)
            OR EXISTS (SELECT FROM response_events AS events
                WHERE events.brand_id = responses.brand_id AND events.response_id = responses.id
                AND events.kind IN ('noted', 'replied', 'tagged', 'untagged') AND events.text IS NOT NULL))
        """,
    ),
    Invariant(
        "erased_has_no_order_details",
        "an order of an erased customer has no hash of an address, a payment or a confirmation, and no tags",
        "ord",
        f"""
        SELECT orders.brand_id, orders.id AS row FROM customers
        JOIN orders ON orders.brand_id = customers.brand_id AND orders.customer_id = customers.id
        WHERE {_ERASED} AND (orders.address_key IS NOT NULL OR orders.payment_key IS NOT NULL
            OR orders.confirmation_key IS NOT NULL OR jsonb_array_length(orders.tags) > 0)
        """,
    ),
    Invariant(
        "erased_has_no_code",
        "a code of an erased referrer is a surrogate and disabled",
        "cod",
        f"""
        SELECT codes.brand_id, codes.id AS row FROM customers
        JOIN referrers ON referrers.brand_id = customers.brand_id AND referrers.customer_id = customers.id
        JOIN codes ON codes.brand_id = referrers.brand_id AND codes.referrer_id = referrers.id
        WHERE {_ERASED} AND (codes.erased_key IS NULL OR codes.disabled_at IS NULL
            OR codes.display <> upper(replace(codes.id::text, '-', '')) OR codes.code <> codes.display)
        """,
    ),
    Invariant(
        "erased_has_no_code_in_a_shop",
        "a code of an erased referrer is a surrogate, or is still being taken out of its shop",
        "cod",
        f"""
        SELECT codes.brand_id, codes.id AS row FROM customers
        JOIN referrers ON referrers.brand_id = customers.brand_id AND referrers.customer_id = customers.id
        JOIN codes ON codes.brand_id = referrers.brand_id AND codes.referrer_id = referrers.id
        JOIN code_publications ON code_publications.brand_id = codes.brand_id
            AND code_publications.issued_id = codes.id
        WHERE {_ERASED} AND code_publications.state <> 'revoking'
            AND code_publications.code <> upper(replace(codes.id::text, '-', ''))
        """,
    ),
    Invariant(
        "erased_friend_is_hidden",
        "a redemption of an erased friend has only keyed hashes of their address and number",
        "red",
        f"""
        SELECT redemptions.brand_id, redemptions.id AS row FROM customers
        JOIN redemptions ON redemptions.brand_id = customers.brand_id
            AND redemptions.friend_id = customers.id
        WHERE {_ERASED} AND (redemptions.friend_email_key NOT LIKE 'hidden:%'
            OR redemptions.friend_phone NOT LIKE 'hidden:%')
        """,
    ),
    Invariant(
        "erased_has_no_raw_content",
        "a processed delivery that names an erased customer has no content",
        "dlv",
        f"""
        SELECT DISTINCT deliveries.brand_id, deliveries.id AS row FROM customers
        JOIN deliveries_customers AS links ON links.brand_id = customers.brand_id
            AND links.customer_id = customers.id
        JOIN deliveries ON deliveries.brand_id = links.brand_id AND deliveries.id = links.delivery_id
        LEFT JOIN delivery_fetches AS fetches ON fetches.brand_id = deliveries.brand_id
            AND fetches.delivery_id = deliveries.id
        WHERE {_ERASED} AND deliveries.status NOT IN ('new', 'fetching')
            AND (deliveries.body <> '' OR fetches.body <> '')
        """,
    ),
)
