"""How good the detector is: simulated months through the real engine, scored against truth."""
