"""Messages to customers: templates, messages, attempts, and what providers report about them."""
