"""Commands down to devices: queued, sent until they are acknowledged, and followed to their end."""
