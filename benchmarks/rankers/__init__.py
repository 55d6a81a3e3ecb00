"""Rankers: who tells the gold reply from others, on one set of slates; what laughter and ratings say of a reply."""
