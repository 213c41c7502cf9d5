"""A private certificate authority: for the server, and for devices that prove by a certificate who they are."""
