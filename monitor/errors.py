"""The one tree of errors; each branch says who has to act.

LiqmonError
├── ConfigError        the operator: a file, a key or a variable is wrong (exit 2)
├── StateError         the operator: a state snapshot or a recording cannot be used
├── ListenError        the operator: an address cannot be bound (exit 1)
├── VenueError         the venue: it refused, blocked or broke off a connection
├── BrokerError        the broker: it refused or broke off a connection
└── MeasureError       the operator: a figure could not be measured here

Damaged venue data is not an error but an event (`monitor.events.Malformed`): it is expected,
counted and kept, and the frames around it stay intact.
"""


class LiqmonError(Exception):
    """Anything this program raises on purpose; its message is one line for a person."""


class ConfigError(LiqmonError):
    """A configuration that cannot be used; names the key's path, what was expected, what was."""


class StateError(LiqmonError):
    """A state snapshot or a recording that cannot be used, with the reason."""


class ListenError(LiqmonError):
    """An address that cannot be listened on."""


class VenueError(LiqmonError):
    """A venue refused, blocked or broke off a connection; always retried."""


class BrokerError(LiqmonError):
    """The MQTT broker refused or broke off a connection; always retried."""


class MeasureError(LiqmonError):
    """A figure that could not be measured, with the reason."""
