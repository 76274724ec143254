"""Surveys: who gets one, when, and the responses."""
