"""Credentials and broker rights of devices: made, told to the broker, compared with it, claimed by devices."""
