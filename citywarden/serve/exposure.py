"""What of the server others could read or reach on the wire: refused where it is the server's own doing and nobody
has said that it is meant, told in the doctor otherwise.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from citywarden.alerts.target import Target
from citywarden.model.errors import Problem
from citywarden.model.networks import is_loopback
from citywarden.sections import Settings


def exposures(settings: Settings) -> Sequence[Problem]:
    """What must not be started so: plain MQTT or HTTP beyond this machine that nobody has allowed."""
    return [settings.problem(key, what) for key, what in (*_mqtt(settings), *_api(settings))]


def _mqtt(settings: Settings) -> Iterable[tuple[str, str]]:
    if settings.mqtt.allow_plain:
        return
    for key, url in (("mqtt.url", settings.mqtt.url), ("provisioner.url", settings.provisioner.url or "")):
        if url.startswith("mqtt://") and not is_loopback(_host(url)):
            yield (
                key,
                (
                    f"{_host(url)} is another machine, and mqtt:// shows passwords to everybody on the way: "
                    "expected mqtts://, or [mqtt] allow_plain = true where the way is your own"
                ),
            )


def _api(settings: Settings) -> Iterable[tuple[str, str]]:
    api = settings.api
    if (api.cert_file is None) != (api.key_file is None):
        missing = "key_file" if api.key_file is None else "cert_file"
        yield f"api.{missing}", "is missing, expected both cert_file and key_file"
        return
    host = api.listen.rpartition(":")[0]
    if api.cert_file is None and not api.allow_plain and not is_loopback(host):
        yield (
            "api.listen",
            (
                f"{host} can be reached by others, and without TLS so can their passwords: expected cert_file and "
                "key_file (`citywarden certs server` makes them), or allow_plain = true behind a proxy that has TLS"
            ),
        )


def warnings(settings: Settings, targets: Sequence[Target]) -> Sequence[str]:
    """What goes to other machines in the clear and is somebody else's to mend, one line each."""
    found = []
    if settings.store.url.startswith("influxdb://") and not is_loopback(_host(settings.store.url)):
        found.append(f"readings and token go to {_host(settings.store.url)} in the clear, influxdbs:// has TLS")
    if settings.grafana.url.startswith("http://") and settings.grafana.token and not is_loopback(
        _host(settings.grafana.url)
    ):  # fmt: skip
        found.append(f"Grafana's token goes to {_host(settings.grafana.url)} in the clear, https:// has TLS")
    if settings.provisioner.kind == "emqx" and (settings.provisioner.url or "").startswith("http://"):
        host = _host(settings.provisioner.url or "")
        if not is_loopback(host):
            found.append(f"the broker's administrator's password goes to {host} in the clear, https:// has TLS")
    for target in targets:
        if target.url.startswith("http://") and not is_loopback(_host(target.url)):
            found.append(f"alerts go to {target.name} in the clear, https:// has TLS")
    return found


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
