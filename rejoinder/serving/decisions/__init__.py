"""Decisions: what was answered and how people took it, a line of JSON each.

`record` makes the records, `log` writes them, `read` reads them, `erase` takes a person or a conversation out.
Neither a killed process nor a full disk spoils what was written.
Standard library only: the pipeline reads it as well as the server.
"""
