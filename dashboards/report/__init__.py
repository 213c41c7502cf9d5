"""The report on recorded work: for a terminal, for programs, and as a page to print."""
