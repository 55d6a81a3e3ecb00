"""The port: what other people's clients and a browser speak, and nothing of how an answer is made."""
