"""The types that travel between the rooms: frozen, slotted, free of I/O."""
