"""Generator: how well it continues dialogues, how it can be told from people, what it costs, what it remembers."""
