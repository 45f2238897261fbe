"""Random specs, and what must hold of them."""
