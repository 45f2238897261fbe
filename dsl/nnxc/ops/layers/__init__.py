"""Layers: entries with weights, or with randomness of their own."""
