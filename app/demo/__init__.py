"""The demo: a shop whose weeks pass in seconds."""
