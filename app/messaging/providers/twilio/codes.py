"""Twilio's error codes that mean something to us, of calls and of status callbacks."""

OPTED_OUT = 21610
"""The recipient replied STOP to Twilio."""
NO_SUCH_NUMBER = frozenset({21211, 21614, 30005, 30006})
"""Not a number, not a mobile, unknown handset, landline. 30003 (switched off) and the rest may
pass."""
