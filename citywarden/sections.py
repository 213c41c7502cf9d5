"""The sections of the configuration: keys, types, ranges and defaults."""

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr

from citywarden.model.errors import Problem
from citywarden.model.networks import LOOPBACK, Network, parse_network
from citywarden.model.origin import Origin
from citywarden.model.redaction import keep_secret, keep_secrets_of


def _timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("expected an IANA time zone such as Asia/Shanghai")
    return name


def _url(*schemes: str) -> AfterValidator:
    def check(url: str) -> str:
        if url.split("://", 1)[0] not in schemes or (("://" in url) != (url not in schemes)):
            raise ValueError("expected " + " or ".join(s if s == "embedded" else f"{s}://..." for s in schemes))
        return url

    return AfterValidator(check)


def _network(text: object) -> object:
    return parse_network(text) if isinstance(text, str) else text


def _listen(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("expected host:port, such as 127.0.0.1:8080")
    return address


class _Section(BaseModel):
    """A section; what it keeps secret is hidden from logs and answers from the moment it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    def model_post_init(self, _context: object, /) -> None:
        for name, value in self:
            if isinstance(value, SecretStr):
                keep_secret(value.get_secret_value())
            elif name == "url" and isinstance(value, str):
                keep_secrets_of(value)


class MqttSettings(_Section):
    """The broker; `embedded` starts one on `listen_host`, there `devices` log in with credentials of their own or not,
    and the certificate is its own. `allow_plain`: mqtt:// may lead to another machine.
    """

    url: Annotated[str, _url("embedded", "mqtt", "mqtts")] = "embedded"
    client_id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")] = "citywarden"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    allow_plain: bool = False
    receive_max: Annotated[int, Field(ge=1, le=65535)] = 10_000
    keep_alive_s: Annotated[int, Field(ge=5, le=3600)] = 30
    session_expiry_h: Annotated[int, Field(ge=1, le=24 * 365)] = 24 * 7
    shared_group: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    devices: Literal["open", "credentials"] = "open"
    listen_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"


class LogSettings(_Section):
    """The durable log. Nothing is taken in while its disk has less than `reserve_mb` free, or while it holds `max_mb`
    (None: no bound): messages wait in the broker then.
    """

    path: Path | None = None
    reserve_mb: Annotated[int, Field(ge=0)] = 100
    max_mb: Annotated[int, Field(ge=16)] | None = None


class StoreSettings(_Section):
    """The time-series store. `keep_days` is the embedded one's; `raw_days`, `minute_days` and `hour_days` are
    InfluxDB's for readings and their minute and hour means; `record_days` is both's for alerts, judged work and cases;
    `compress`: gzip what is sent to InfluxDB.
    """

    url: Annotated[str, _url("embedded", "influxdb", "influxdbs")] = "embedded"
    token: SecretStr | None = None
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 400
    raw_days: Annotated[int, Field(ge=1, le=3660)] = 30
    minute_days: Annotated[int, Field(ge=1, le=3660)] = 180
    hour_days: Annotated[int, Field(ge=1, le=36_600)] = 1825
    record_days: Annotated[int, Field(ge=1, le=36_600)] = 1825
    compress: bool = False
    batch: Annotated[int, Field(ge=1, le=50_000)] = 10_000


class DatabaseSettings(_Section):
    """The SQL database of registry, alerts and dead letters; None: an SQLite file in the data folder."""

    url: str | None = None


class RegistrySettings(_Section):
    unknown_devices: Literal["reject", "register"] = "reject"


class ProvisionerSettings(_Section):
    """The broker's accounts: which kind of broker is told about devices, where and as whom. `url`: of dynsec the
    broker's own unless given, of EMQX its management API. `devices_url`: what devices are told to connect to.
    """

    kind: Literal["none", "dynsec", "emqx", "embedded"] = "none"
    url: Annotated[str, _url("mqtt", "mqtts", "http", "https")] | None = None
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    devices_url: Annotated[str, _url("mqtt", "mqtts")] | None = None


class RulesSettings(_Section):
    """`file`: rule file, None for the built-in rules."""

    file: Path | None = None


class FleetSettings(_Section):
    """`plan`: planned roads and zones as GeoJSON; `districts`: outlines for the map."""

    plan: Path | None = None
    districts: Path | None = None


class TargetSettings(_Section):
    """Where alerts are sent."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    url: Annotated[str, _url("http", "https", "smtp", "smtps")]
    secret: SecretStr | None = None
    format: str = "citywarden"
    language: Literal["zh-CN", "en"] | None = None
    min_severity: Literal["info", "minor", "major", "critical"] = "info"
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0


class AlertsSettings(_Section):
    """`routes`: routing file; `targets` here hear of everything beside it. `keep_days`: of resolved alerts, with their
    history and deliveries. `allow_networks`: where alerts may be sent beside the internet; what is named here replaces
    the default, this machine.
    """

    routes: Path | None = None
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 400
    targets: tuple[TargetSettings, ...] = ()
    allow_networks: tuple[Annotated[Network, BeforeValidator(_network)], ...] = LOOPBACK
    stale_after_min: Annotated[float, Field(gt=0, le=24 * 60)] = 15.0


class ApiSettings(_Section):
    """Beyond loopback `listen` needs `cert_file` and `key_file`, or `allow_plain` behind a proxy that has TLS.
    `public_url`: where people reach the console, for links in messages; None: where it listens.
    """

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8080"
    cert_file: Path | None = None
    key_file: Path | None = None
    allow_plain: bool = False
    public_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+[^\s]*$")] | None = None
    city_zh: str = "数字城管"
    city_en: str = "City Command"


class AccessSettings(_Section):
    """`login`: who has to log in: `auto` everybody but on a loopback address, `always` everybody. `proxies`: addresses
    of reverse proxies whose X-Forwarded-For and -Proto are believed (loopback's always are). `audit_days`: how long
    the record of changes is kept, 0 for ever.
    """

    login: Literal["auto", "always"] = "auto"
    session_idle_h: Annotated[float, Field(gt=0, le=24 * 30)] = 12.0
    session_days: Annotated[float, Field(gt=0, le=366)] = 7.0
    proxies: tuple[str, ...] = ()
    audit_days: Annotated[int, Field(ge=0, le=36_600)] = 1095


class CasesSettings(_Section):
    """`table`: deadlines by category, None for the built-in ones. `from_alerts`: patterns of rules whose alerts open a
    case by themselves when they are as severe as `from_severity`. `evidence_mb`: how large one file may be.
    """

    table: Path | None = None
    from_alerts: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    from_severity: Literal["info", "minor", "major", "critical"] = "major"
    evidence_mb: Annotated[int, Field(ge=1, le=1024)] = 20
    overdue_alerts: bool = True


class GrafanaSettings(_Section):
    """Where `citywarden dashboards push` brings the boards; the token is that of a service account."""

    url: Annotated[str, _url("http", "https")] = "http://127.0.0.1:3000"
    token: SecretStr | None = None


class LimitsSettings(_Section):
    """`memory_mb`: what the embedded store may use; `dead_letters`, `dead_letters_mb`: how many are kept, oldest go
    first; `devices`: beyond so many none registers itself; `device_messages_per_min`: on each of a device's topics,
    0 for any number.
    """

    memory_mb: Annotated[int, Field(ge=64)] = 512
    dead_letters: Annotated[int, Field(ge=100)] = 100_000
    dead_letters_mb: Annotated[int, Field(ge=1)] = 1024
    devices: Annotated[int, Field(ge=1)] = 200_000
    device_messages_per_min: Annotated[int, Field(ge=0)] = 12_000


class Settings(_Section):
    """Everything that can be configured, with the defaults of one small server on loopback."""

    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "city"
    timezone: Annotated[str, AfterValidator(_timezone)] = "Asia/Shanghai"
    language: Literal["zh-CN", "en"] = "zh-CN"
    mqtt: MqttSettings = MqttSettings()
    log: LogSettings = LogSettings()
    store: StoreSettings = StoreSettings()
    database: DatabaseSettings = DatabaseSettings()
    registry: RegistrySettings = RegistrySettings()
    provisioner: ProvisionerSettings = ProvisionerSettings()
    rules: RulesSettings = RulesSettings()
    fleet: FleetSettings = FleetSettings()
    alerts: AlertsSettings = AlertsSettings()
    api: ApiSettings = ApiSettings()
    access: AccessSettings = AccessSettings()
    cases: CasesSettings = CasesSettings()
    grafana: GrafanaSettings = GrafanaSettings()
    limits: LimitsSettings = LimitsSettings()
    data: Path = Path("data")
    _origin: Origin = PrivateAttr(default_factory=Origin)

    def come_from(self, origin: Origin) -> None:
        """Remember where the keys were said."""
        self._origin = origin

    def problem(self, key: str, what: str) -> Problem:
        """What is wrong with a key, named where it was said."""
        return self._origin.problem(key, what)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def log_path(self) -> Path:
        return self.log.path or self.data / "log.sqlite"

    @property
    def store_path(self) -> Path:
        return self.data / "store.duckdb"

    @property
    def evidence_path(self) -> Path:
        return self.data / "evidence"

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite:///{self.data / 'citywarden.sqlite'}"
