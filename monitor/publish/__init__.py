"""Everything that goes out: alerts over MQTT, metrics, health pages."""
