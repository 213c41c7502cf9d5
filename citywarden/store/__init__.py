"""Time-series store: one contract, several implementations, one schema."""
