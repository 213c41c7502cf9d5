"""`python -m citywarden` is `citywarden`."""

from citywarden.cli import main

main()
