"""`make demo`: three specs, from text to trained models."""
