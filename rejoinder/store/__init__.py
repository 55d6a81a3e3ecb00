"""Where releases lie on a machine, and who uses them."""
