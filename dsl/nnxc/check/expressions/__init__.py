"""Expressions: what a piece of tree means, static or tensor."""
