"""Model cards: what a published model is and how it is used, as Markdown."""
