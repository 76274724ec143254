"""Shopify: signed by the client secret of the app over the body alone."""
