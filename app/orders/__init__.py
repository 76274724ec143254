"""Orders, and the facts that are reported about them in any order."""
