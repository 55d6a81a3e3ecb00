"""Cache: vectors of the commonest phrases."""
