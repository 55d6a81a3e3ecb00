"""Base: what people have said that may be said again."""
