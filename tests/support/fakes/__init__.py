"""Strict doubles of the providers: real HTTP servers that refuse what the real ones refuse, and lose answers on demand."""
