"""The training of a model: losses, steps, what learns."""
