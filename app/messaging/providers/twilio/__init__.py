"""Texts by Twilio: sending, and its callbacks."""
