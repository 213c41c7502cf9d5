"""Configuration is checked whole: every problem at once, with file, line, key, value and what was expected."""

from pathlib import Path

import pytest

from citywarden.model.errors import ConfigurationError
from citywarden.sections import Settings
from citywarden.serve.alerting import targets_of
from citywarden.serve.exposure import exposures
from citywarden.settings import describe, load


def write(folder: Path, text: str) -> Path:
    file = folder / "citywarden.toml"
    file.write_text(text)
    return file


def test_nothing_configured_is_one_small_server_on_loopback() -> None:
    settings = load(None, {})
    assert settings == Settings()
    assert settings.mqtt.url == settings.store.url == "embedded"
    assert settings.api.listen.startswith("127.0.0.1:")
    assert settings.database_url == "sqlite:///data/citywarden.sqlite"


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        'tenant = "a b"\ntimezone = "Mars"\n[mqtt]\nurl = "http://x"\nreceive_max = 0\nclientid = "c"\n'
        '[[alerts.targets]]\nname = "x"\nurl = "ftp://x"\nsecret_file = "absent"\n',
    )
    with pytest.raises(ConfigurationError) as caught:
        load(file, {"CITYWARDEN__API__LISTEN": "anywhere"})
    lines = str(caught.value).replace(str(file), "FILE").splitlines()
    assert sorted(lines) == sorted(
        [
            "FILE: alerts.targets.0.secret_file: absent: No such file or directory, expected a readable file",
            "FILE:1: tenant: 'a b': String should match pattern '^[A-Za-z0-9_.-]{1,64}$'",
            "FILE:2: timezone: 'Mars': expected an IANA time zone such as Asia/Shanghai",
            "FILE:4: mqtt.url: 'http://x': expected embedded or mqtt://... or mqtts://...",
            "FILE:5: mqtt.receive_max: 0: expected greater than or equal to 1",
            "FILE:6: mqtt.clientid: unknown key, did you mean client_id?",
            "FILE:9: alerts.targets.0.url: 'ftp://x': expected http://... or https://... or smtp://... or smtps://...",
            "$CITYWARDEN__API__LISTEN: api.listen: 'anywhere': expected host:port, such as 127.0.0.1:8080",
        ]
    )


def test_broken_toml_and_a_missing_file_are_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"citywarden.toml:2: no valid TOML"):
        load(write(tmp_path, "tenant = 'a'\n= 3\n"), {})
    with pytest.raises(ConfigurationError, match="No such file"):
        load(tmp_path / "absent.toml", {})


def test_the_environment_wins_over_the_file_and_data_over_both(tmp_path: Path) -> None:
    file = write(tmp_path, 'tenant = "file"\n[mqtt]\nclient_id = "file"\n')
    settings = load(file, {"CITYWARDEN__TENANT": "env", "CITYWARDEN__DATA": "/env"}, Path("/flag"))
    assert (settings.tenant, settings.mqtt.client_id, settings.data) == ("env", "file", Path("/flag"))


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("hush\n")
    file = write(
        tmp_path,
        '[mqtt]\nurl = "mqtts://me:hush@broker:8883"\npassword_file = "pw"\n[database]\nurl = "postgresql://u:hush@h/d"\n',
    )
    settings = load(file, {})
    assert settings.mqtt.password is not None
    assert settings.mqtt.password.get_secret_value() == "hush"
    assert "hush" not in str(describe(settings))
    assert "mqtts://me:***@broker:8883" in str(describe(settings))


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path) -> None:
    file = write(tmp_path, '[rules]\nfile = "my.yaml"\n[fleet]\nplan = "/abs/plan.geojson"\n')
    settings = load(file, {})
    assert settings.rules.file == tmp_path / "my.yaml"
    assert settings.fleet.plan == Path("/abs/plan.geojson")


def test_the_example_holds_the_defaults() -> None:
    example = Path(__file__).parents[2] / "examples" / "citywarden.toml"
    assert load(example, {}) == Settings()


def test_what_is_found_wrong_later_is_named_where_it_was_said(tmp_path: Path) -> None:
    file = tmp_path / "citywarden.toml"
    file.write_text(
        'tenant = "t"\n\n[mqtt]\nurl = "mqtt://10.1.2.3:1883"\n\n[api]\ncity_en = "Here"\n\n'
        '[[alerts.targets]]\nname = "a"\nurl = "https://x.example"\n\n'
        '[[alerts.targets]]\nname = "b"\nurl = "https://x.example"\nformat = "pigeon"\n'
    )
    settings = load(file, {"CITYWARDEN__API__LISTEN": "0.0.0.0:80"})
    plain, open_door = exposures(settings)
    assert str(plain).startswith(f"{file}:4: mqtt.url: 10.1.2.3 is another machine")
    assert str(open_door).startswith("$CITYWARDEN__API__LISTEN: api.listen: 0.0.0.0 can be reached by others")
    with pytest.raises(ConfigurationError, match=rf"{file}:16: alerts\.targets\.1\.format: 'pigeon'"):
        targets_of(settings)
    assert str(settings.problem("api.cert_file", "is missing")) == f"{file}:6: api.cert_file: is missing"
    assert str(load(None, {}).problem("mqtt.url", "odd")) == "configuration: mqtt.url: odd"
