"""The shop platforms, one folder each, and the shops' connections to them.

An adapter turns its platform's bytes into our events.
"""
