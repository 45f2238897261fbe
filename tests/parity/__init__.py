"""Specs against reference models: the same weights and inputs give the same outputs.

A reference is a folder: a checkpoint with its `config.json`, `ref.npz` with what went in
(`in/*`) and what came out (`out/*`; in train mode `trainbn/*`), `grad.safetensors` with
gradients, and `meta.json` with the noise of each output and the loss of the gradients. Its
spec is the zoo's of that name, or `spec.nnx` in the folder. Inputs and outputs of the model
are named as in `ref.npz`: `return logits=x, hidden_states=states` is judged by `out/logits`,
`out/hidden_states.0`, and so on.
"""
