"""Incoming deliveries: stored raw, acknowledged, then processed in batches in order of arrival."""
