"""Vectorizer: the teacher."""
