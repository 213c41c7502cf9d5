"""The composition root: everything wired together, started and stopped in order."""
