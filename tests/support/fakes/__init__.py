"""Strict fakes of the providers: HTTP servers that refuse what the real ones refuse and lose
replies on demand."""
