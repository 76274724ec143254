"""The provider that sends nothing and keeps every message in the database."""
