"""Everything that comes in: sockets, REST polls, the log they are ordered in, its recording."""
