"""A fake of WooCommerce's REST API: real HTTP on loopback, checked against the cut schema."""
