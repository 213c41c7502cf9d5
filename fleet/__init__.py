"""What should exist: plans, zones, vehicles, and the simulated city."""
