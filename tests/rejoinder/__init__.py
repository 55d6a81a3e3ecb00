"""Tests of `rejoinder`."""
