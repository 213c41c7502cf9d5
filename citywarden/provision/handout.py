"""Credentials as they are handed out, once: text, a URI for a fitter's phone, a QR code, client code."""

import io
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import segno

from citywarden.model.credential import Credential, rights_of
from citywarden.model.errors import CitywardenError
from citywarden.model.kind import JsonScalar

CSV_HEADER = "login,client_id,password"
SNIPPETS = ("python", "mosquitto", "esp32")


@dataclass(frozen=True, slots=True)
class Handout:
    """A credential and the broker it is for. `url`: what a device connects to, mqtt:// or mqtts://. `example`: what a
    device of its kind measures, by field.
    """

    credential: Credential
    host: str
    port: int
    tls: bool = False
    example: Mapping[str, JsonScalar] = field(default_factory=dict)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    @property
    def topic(self) -> str:
        """What all topics of the device begin with."""
        return f"city/{self.credential.login}"

    def facts(self) -> dict[str, object]:
        """Everything, for `--json` and the API."""
        rights = rights_of(self.credential.login)
        return {
            "broker": self.url,
            "username": self.credential.login,
            "password": self.credential.password,
            "client_id": self.credential.client_id,
            "publish": sorted(rights.publish),
            "subscribe": sorted(rights.subscribe),
        }

    def uri(self) -> str:
        """One line: `mqtts://USER:PASSWORD@HOST:PORT?client_id=...&topic=...`."""
        user, word = quote(self.credential.login, safe=""), quote(self.credential.password, safe="")
        scheme, _, place = self.url.partition("://")
        return f"{scheme}://{user}:{word}@{place}?client_id={quote(self.credential.client_id, safe='')}"

    def snippet(self, language: str) -> str:
        """Client code that works as it stands. Raises KeyError for a language not in SNIPPETS."""
        example = json.dumps(dict(self.example))
        values = {
            "HOST": self.host, "PORT": str(self.port), "USER": self.credential.login,
            "PASSWORD": self.credential.password, "CLIENT": self.credential.client_id, "TOPIC": self.topic,
            "PYTHON": repr(dict(self.example)), "SHELL": shlex.quote(example), "C": example,
        }  # fmt: skip
        text = _TEXTS[language][self.tls]
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        return text


def qr(handout: Handout) -> segno.QRCode:
    """The QR code of a handout's URI."""
    return segno.make(handout.uri(), error="m", micro=False)


def qr_text(handout: Handout) -> str:
    """The QR code for a terminal, dark on light."""
    drawn = io.StringIO()
    qr(handout).terminal(out=drawn, compact=True)
    return drawn.getvalue()


def write_qr(handout: Handout, file: Path) -> None:
    """The QR code as .svg or .png, readable by its owner only. Raises CitywardenError for another ending."""
    if file.suffix not in (".svg", ".png"):
        raise CitywardenError(f"{file}: expected a name that ends in .svg or .png")
    drawn = io.BytesIO()
    qr(handout).save(drawn, kind=file.suffix[1:], scale=8)
    write_private(file, drawn.getvalue())


def write_private(file: Path, data: bytes) -> None:
    """A new file for its owner's eyes only. Raises CitywardenError when it exists already."""
    try:
        file.touch(mode=0o600, exist_ok=False)
        file.write_bytes(data)
    except FileExistsError:
        raise CitywardenError(f"{file} exists already; credentials are written to a new file only") from None
    except OSError as error:
        raise CitywardenError(f"{file}: {error.strerror}") from None


def csv_lines(credentials: Sequence[Credential]) -> Iterator[str]:
    """A CSV of logins and passwords; neither has a comma or a quote."""
    yield f"{CSV_HEADER}\n"
    for one in credentials:
        yield f"{one.login},{one.client_id},{one.password}\n"


def read_csv(lines: Sequence[str], name: str) -> Mapping[str, str]:
    """Passwords by login of such a CSV. Raises CitywardenError."""
    header, *rows = [line.strip().lstrip("\ufeff") for line in lines if line.strip()] or [""]
    if header != CSV_HEADER:
        raise CitywardenError(f"{name}: expected a file of credentials with the header {CSV_HEADER}")
    found: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        cells = row.split(",")
        if len(cells) != 3:
            raise CitywardenError(f"{name}: line {number}: has {len(cells)} cells, expected 3")
        found[cells[0]] = cells[2]
    return found


_PYTHON = """import json, time
import paho.mqtt.client as mqtt  # pip install paho-mqtt

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="@CLIENT@", clean_session=False)
client.username_pw_set("@USER@", "@PASSWORD@")
@TLS@client.will_set("@TOPIC@/status", "offline", qos=1, retain=True)
client.on_connect = lambda c, *_: (c.subscribe("@TOPIC@/command", qos=1),
                                   c.publish("@TOPIC@/status", "online", qos=1, retain=True))
client.on_message = lambda c, _, m: print("command", m.payload)
client.connect("@HOST@", @PORT@)
client.loop_start()
while True:
    measured = @PYTHON@  # yours in their place; fields, units and ranges: citywarden kinds
    client.publish("@TOPIC@/telemetry", json.dumps({"ts": int(time.time() * 1000), **measured}), qos=1)
    time.sleep(60)
"""
_MOSQUITTO = """mosquitto_pub -h '@HOST@' -p @PORT@ @TLS@-i '@CLIENT@' -u '@USER@' -P '@PASSWORD@' -q 1 \\
  -t '@TOPIC@/telemetry' -m @SHELL@
"""
_ESP32 = """// PubSubClient by Nick O'Leary; WiFi is connected before this.
#include <@NET@.h>
#include <PubSubClient.h>

@NET@ net;
PubSubClient mqtt(net);

void onCommand(char *topic, byte *payload, unsigned int length) { /* act, then publish on @TOPIC@/command/result */ }

void connectMqtt() {
@TLS@  mqtt.setServer("@HOST@", @PORT@);
  mqtt.setBufferSize(1024);  // a command does not fit into the 256 bytes it has by itself
  mqtt.setCallback(onCommand);
  while (!mqtt.connect("@CLIENT@", "@USER@", "@PASSWORD@", "@TOPIC@/status", 1, true, "offline", false)) delay(2000);
  mqtt.publish("@TOPIC@/status", "online", true);
  mqtt.subscribe("@TOPIC@/command", 1);
}

void report(const char *json) { mqtt.publish("@TOPIC@/telemetry", json); }  // such as @C@

void keepConnected() {  // call it in every loop()
  if (!mqtt.connected()) connectMqtt();
  mqtt.loop();
}
"""


def _both(text: str, secure: str, net: tuple[str, str] = ("", "")) -> dict[bool, str]:
    """The text without and with TLS."""
    return {tls: text.replace("@TLS@", secure if tls else "").replace("@NET@", net[tls]) for tls in (False, True)}


_TEXTS = {
    "python": _both(_PYTHON, "client.tls_set()\n"),
    "mosquitto": _both(_MOSQUITTO, "--tls-use-os-certs "),
    "esp32": _both(
        _ESP32, "  net.setCACert(CITY_CA);  // PEM text of the city's CA\n", ("WiFiClient", "WiFiClientSecure")
    ),
}


def as_json(handouts: Sequence[Handout]) -> str:
    """All facts of several, as one JSON document."""
    return json.dumps([handout.facts() for handout in handouts])
