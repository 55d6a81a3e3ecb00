"""Remarks: what was prepared to be said."""
