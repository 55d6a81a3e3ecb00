"""What `rejoinder serve` costs and stands: each part one command, all of them `python -m benchmarks.serving`."""
