"""Benchmark: what the build is worth and what it costs."""
