"""Where alerts are sent."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from citywarden.model.alert import Severity
from citywarden.model.redaction import keep_secret, keep_secrets_of


@dataclass(frozen=True, slots=True)
class Target:
    """One receiver of alerts.

    `secret`: for signing; Standard Webhooks (`whsec_` and base64, or any other text as it stands) or the robot's own.
    `format`: a key of `formats.FORMATS`. `timeout_s` bounds a whole attempt. `rate_per_min`: how many messages a
    minute it takes, more become digests; None: the format's own limit. `link`: address of the console, put into
    messages for people, whose times are in `zone`.
    """

    name: str
    url: str
    secret: str | None = None
    format: str = "citywarden"
    language: str = "zh-CN"
    min_severity: Severity = Severity.INFO
    timeout_s: float = 15.0
    headers: Mapping[str, str] = field(default_factory=dict)
    rate_per_min: int | None = None
    link: str = ""
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        keep_secret(self.secret, *self.headers.values())
        keep_secrets_of(self.url)

    @property
    def key(self) -> bytes | None:
        """The signing key: what follows `whsec_` decoded, any other text as UTF-8; None without a secret."""
        if not self.secret:
            return None
        if not self.secret.startswith("whsec_"):
            return self.secret.encode()
        try:
            word = self.secret.removeprefix("whsec_").rstrip("=")
            return base64.b64decode(word + "=" * (-len(word) % 4), validate=True)
        except binascii.Error as error:
            raise ValueError(f"target {self.name}: secret: expected base64 after whsec_") from error
