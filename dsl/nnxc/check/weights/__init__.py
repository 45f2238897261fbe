"""Weights sections: tensors of checkpoints and weights of models."""
