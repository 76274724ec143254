"""Checkouts of one's own: signed by Standard Webhooks, in the shape of our own documentation."""
