"""How we reach a person: templates, messages, attempts, and what the providers tell of them."""
