"""The shop platforms: one folder each, which turns that platform's bytes into our events. Also the shops' connections."""
