"""Fakes of the shop platforms, for the demo and for tests: one folder each."""
