"""Forms of other languages and tools, whole lines and sections of them."""
