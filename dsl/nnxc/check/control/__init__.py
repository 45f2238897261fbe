"""Statements: what runs when, and what a name stands for after it."""
