"""The tokenizer's file, as every encoder's folder and every model bundle calls it."""

TOKENIZER = "tokenizer.json"
