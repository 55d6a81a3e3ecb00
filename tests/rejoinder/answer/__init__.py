"""Tests of `rejoinder.answer`."""
