"""Compiled numerical kernels: numba and numpy only."""
