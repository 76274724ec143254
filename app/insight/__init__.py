"""What the stored data shows: NPS, funnel, timelines, invariants. Read-only."""
