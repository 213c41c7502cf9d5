"""The `citywarden` command."""


def main() -> None:
    """Entry point."""
    raise SystemExit("citywarden: the commands are being built")
