"""Blocks and models: parameters, axes, streams, and what callers need to know."""
