"""The demo shop and its time travel."""
