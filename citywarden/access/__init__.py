"""Who may come in, and the record of what they changed."""
