"""Double-entry accounts: every amount of money that moved, in append-only lines."""
