"""The daemon: venues in, verdicts out, for as long as nobody stops it."""

from monitor.daemon.service import Daemon

__all__ = ["Daemon"]
