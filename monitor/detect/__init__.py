"""The pure core: from events to verdicts. It reads no clock, opens nothing and logs nothing."""
