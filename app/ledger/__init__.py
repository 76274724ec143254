"""Double-entry accounts: every amount of money that a cause moved, in lines that are only ever added."""
