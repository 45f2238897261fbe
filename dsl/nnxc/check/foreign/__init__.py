"""What is written as in other libraries or languages, and how it is written here."""
