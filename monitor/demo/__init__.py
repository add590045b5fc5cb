"""The demo: a market with known truth, a broker, and the real daemon between them."""
