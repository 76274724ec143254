"""E-mail by any mail server (SMTP)."""
