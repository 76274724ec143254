"""Custom checkouts: signed by Standard Webhooks, in the format of our own documentation."""
