"""Numbers: NPS, funnel, timelines, invariants."""
