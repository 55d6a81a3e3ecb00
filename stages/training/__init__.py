"""What the training of every part shares; needs torch."""
