"""What is judged: pure functions over columns. No I/O, no clock, no await."""
