"""Directories <-> MLflow: publish a blessed build as a release, pull a release into a local store."""
