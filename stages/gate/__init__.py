"""Gate: whether the build may be released."""
