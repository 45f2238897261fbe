"""What is wrong with a line, and what was meant."""
