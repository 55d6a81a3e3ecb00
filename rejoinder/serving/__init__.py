"""A process that answers: it holds an open release, and swaps it for a newer one."""
