"""Telegraf as the other consumer: the same topics into the same kind of bucket."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from citywarden.model.kind import Form
from ingest.kinds import all_kinds

VERSION = "1.37.2"
TAGS = "custom,inputs.mqtt_consumer,outputs.influxdb_v2,parsers.json,serializers.influx"
CLIENT_ID = "bench-telegraf"


def find_telegraf() -> str | None:
    """CITYWARDEN_TELEGRAF, else what was built before, else built now when Go is there (once, about a minute)."""
    if named := os.environ.get("CITYWARDEN_TELEGRAF"):
        return named
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "citywarden" / f"telegraf-{VERSION}"
    program = folder / "telegraf"
    go = shutil.which("go", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/go/bin")))
    if program.is_file() or go is None:
        return str(program) if program.is_file() else None
    print(f"building Telegraf {VERSION} into {folder} ...", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    module = f"github.com/influxdata/telegraf/cmd/telegraf@v{VERSION}"
    built = subprocess.run(
        [go, "install", "-tags", TAGS, module], env={**os.environ, "GOBIN": str(folder)}, cwd=folder, check=False
    )
    return str(program) if built.returncode == 0 and program.is_file() else None


def configuration(mqtt_port: int, influx: str, token: str, bucket: str) -> str:
    """Telegraf's configuration: QoS 1, persistent session, batches of 5,000, acknowledged when InfluxDB has them."""
    odd = [q.field for kind in all_kinds().values() for q in kind.sent if q.form is not Form.NUMBER]
    words = ", ".join(f'"{name}"' for name in odd)
    return f"""
[agent]
interval = "1s"
flush_interval = "200ms"
flush_jitter = "0s"
metric_batch_size = 5000
metric_buffer_limit = 100000
omit_hostname = true
quiet = true

[[inputs.mqtt_consumer]]
servers = ["tcp://127.0.0.1:{mqtt_port}"]
topics = ["city/+/+/+/telemetry"]
qos = 1
persistent_session = true
client_id = "{CLIENT_ID}"
max_undelivered_messages = 20000
topic_tag = ""
data_format = "json"
json_time_key = "ts"
json_time_format = "unix_ms"
json_string_fields = [{words}]

[[inputs.mqtt_consumer.topic_parsing]]
topic = "city/+/+/+/telemetry"
measurement = "_/_/measurement/_/_"
tags = "_/tenant/_/device/_"

[[outputs.influxdb_v2]]
urls = ["{influx}"]
token = "{token}"
organization = "city"
bucket = "{bucket}"
"""
