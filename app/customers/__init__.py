"""Who: people of a brand, how they may be reached, and what they allowed."""
