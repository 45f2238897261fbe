"""What Tunix does with a model, done with models of the zoo at tiny sizes.

Each stage is one thing that users do: fine-tune, sample, score, align. `make tunix` makes an
environment with Tunix and runs them.
"""
