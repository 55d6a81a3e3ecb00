"""Torch-side code that the training stages share."""
