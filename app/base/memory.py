"""Set the garbage collector for a process that lives long and makes many short-lived objects."""

import gc

_THRESHOLDS = (20_000, 20, 50)
"""Python's own first threshold (700 or 2,000) causes hundreds of collections for a batch of 500
orders, which contains no cycles."""


def tune_garbage_collector() -> None:
    """Exempt what is loaded now from collections, and make later collections rarer.

    Call once, after all modules are loaded.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
