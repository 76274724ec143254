"""Incoming deliveries: stored raw, acknowledged, then processed in batches in the order of their arrival."""
