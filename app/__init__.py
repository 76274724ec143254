"""Tenfold turns happy customers into promoters.

`docs/architecture.md` says what each package is for, `docs/decisions/` why it is so.
"""
