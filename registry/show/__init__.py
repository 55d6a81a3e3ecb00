"""What is told about releases: show, diff, releases, doctor."""
