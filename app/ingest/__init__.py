"""The shops' door: takes every delivery in, keeps it raw, and works it off in batches."""
