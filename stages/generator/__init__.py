"""Generator: a language model of our own dialogues, tuned and made ready to serve."""
