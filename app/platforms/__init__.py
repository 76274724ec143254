"""What a shop says, in our words: one file a platform, which verifies and parses."""
