"""E-mail by SendGrid: sending, and its event webhook."""
