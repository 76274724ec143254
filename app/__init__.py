"""Tenfold turns happy customers into promoters; the rooms are told in `docs/decisions/` and drawn in the README."""
