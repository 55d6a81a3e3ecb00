"""Ranker: context and reply, token by token, by a network that reads the context once."""
