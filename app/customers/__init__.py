"""People of a brand: who they are, how they may be contacted, and what they consented to."""
