"""Whom we ask, when, and what they answer."""
