"""Tests of the faults: each notices what it must."""
