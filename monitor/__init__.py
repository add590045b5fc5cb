"""Streaming detector of liquidation cascades."""
