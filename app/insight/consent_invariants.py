"""The invariants of consent and suppression: what a person refused is obeyed."""

from app.insight.invariant_types import Invariant

INVARIANTS = (
    Invariant(
        "refused_get_nothing",
        "no message goes to a person by a channel after they refused it",
        "msg",
        # Both times are the database's; a message may be claimed just before the refusal is stored.
        """
        SELECT DISTINCT messages.brand_id, messages.id AS row
        FROM consent_facts AS refusal
        JOIN messages ON messages.brand_id = refusal.brand_id
            AND messages.customer_id = refusal.customer_id AND messages.channel = refusal.channel
        JOIN attempts ON attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id
            AND attempts.status = 'accepted'
            AND attempts.created_at > refusal.created_at + interval '1 minute'
        WHERE NOT refusal.given AND NOT EXISTS (
            SELECT FROM consent_facts AS later
            WHERE later.brand_id = refusal.brand_id AND later.customer_id = refusal.customer_id
                AND later.channel = refusal.channel AND later.given AND later.at > refusal.at
                AND later.created_at <= attempts.created_at)
        """,
    ),
    Invariant(
        "only_own_decisions_are_lifted",
        "a suppression ends only where the person took back what they had decided",
        "sup",
        """
        SELECT brand_id, id AS row FROM suppressions
        WHERE lifted_at IS NOT NULL AND reason NOT IN ('unsubscribed', 'stopped')
        """,
    ),
)
