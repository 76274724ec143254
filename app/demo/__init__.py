"""The demo shop and its time simulated."""
