"""How a release answers: a list of steps `state -> state`, run in order and timed.

A new step is one file here and one line in `responder.STEPS`; the trace and `rejoinder ask` show it as any other.
"""
