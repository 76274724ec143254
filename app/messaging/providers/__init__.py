"""Adapters to the services that send: one folder per provider, one protocol."""
