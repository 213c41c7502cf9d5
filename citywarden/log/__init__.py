"""The durable log between the wire and everything that reads it."""
