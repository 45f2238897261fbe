"""Tables of tensors: which weights stand together in a row, and which rows together."""
