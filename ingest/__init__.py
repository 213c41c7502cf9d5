"""From the wire to the store: MQTT, decoding, registry, pipeline."""
