"""What a class computes when it is called."""
