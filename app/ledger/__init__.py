"""Double-entry accounts: every amount of money that moved, in lines that are only added."""
