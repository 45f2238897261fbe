"""Shape rules that several entries share."""
