"""Honest evaluation: fixed candidate lists, ranks with ties counted as wrong, intervals over conversations."""
