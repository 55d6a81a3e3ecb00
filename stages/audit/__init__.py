"""Audit: looking for what must not be there, in every file of a build and behind every phrase that it offers."""
