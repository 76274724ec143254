"""Cases that break invariants; each one is broken in rows that keep all the others."""
