"""What they bought: orders, and the facts that came about them, in whatever order."""
