"""The constructor of a class: what it makes, and what it checks first."""
