"""A package that examples of the pages bring in."""
