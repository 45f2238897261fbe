"""Python as text: names, literals, imports, docstrings, calls of the library."""
