"""Intents: what the character answers by itself."""
