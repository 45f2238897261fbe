"""What the grammar found in a line, as nodes of the tree."""
