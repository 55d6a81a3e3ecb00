"""Annotators: small heads on turn vectors; `labels` reads what they learn from, `heads` fits and measures."""
