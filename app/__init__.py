"""Tenfold turns happy customers into promoters.

The rooms are told in `docs/decisions/` and drawn in the README.
"""
