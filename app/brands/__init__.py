"""Brands (the tenants) and their shops, and the versions of their programme."""
