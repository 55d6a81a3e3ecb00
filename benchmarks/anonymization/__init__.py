"""How well and how fast texts are anonymised, beside Presidio and plain spaCy, in one run.

Nobody who works on the rules in `stages.anonymize` reads the test half of `templates.jsonl`: see `generate`.
"""
