"""A market with known truth behind loopback servers that speak each venue's own wire."""
