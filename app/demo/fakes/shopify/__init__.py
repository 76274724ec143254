"""A fake of Shopify's Admin API, which executes on Shopify's own schema."""
