"""The provider that sends nothing and stores every message in the database."""
