"""A server whose every secret is known to the test: none of them is in anything it logs, prints or answers."""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from citywarden.cli import run
from citywarden.cli.running import log_handler, wall_ms
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, Running, running
from citywarden.settings import load
from tests.alerts.alert_builders import finding
from tests.alerts.hooks import Hook, answer, hook

SECRETS = {
    "signing": "whsec_c2VjcmV0LW9mLXRoZS13ZWJob29r",
    "robot": "SEC9f8e7d6c5b4a39281706",
    "robot_token": "a1b2c3d4e5f60718293a4b5c6d7e8f90",
    "header": "hdr-Sup3rS3cret-9911",
    "url_password": "urlPassw0rd-7731",
    "mail": "mailPassw0rd-5512",
    "grafana": "glsa_Gr4fanaT0ken1234567890",
}


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """All that any part says, from DEBUG on, as the server's own handler writes it."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = log_handler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def configure(folder: Path, receiver: Hook) -> Path:
    host = receiver.url.removeprefix("http://").removesuffix("/hook")
    (folder / "hook.secret").write_text(SECRETS["signing"])
    (folder / "routes.yaml").write_text(
        "targets:\n"
        f"- {{name: signed, url: 'http://warden:{SECRETS['url_password']}@{host}/hook', secret_file: hook.secret,\n"
        f"   headers: {{x-api-key: '{SECRETS['header']}'}}}}\n"
        f"- {{name: robot, url: 'http://{host}/send?access_token={SECRETS['robot_token']}', format: dingtalk,\n"
        f"   secret: {SECRETS['robot']}}}\n"
        f"- {{name: mail, url: 'smtp://me@127.0.0.1:9/?from=a@b.example&to=c@d.example', format: email,\n"
        f"   secret: {SECRETS['mail']}}}\n"
    )
    config = folder / "citywarden.toml"
    config.write_text(
        f'tenant = "t"\nlanguage = "en"\ndata = "{folder / "data"}"\n[alerts]\nroutes = "routes.yaml"\n'
        f'[api]\nlisten = "127.0.0.1:0"\n[grafana]\nurl = "http://127.0.0.1:9"\ntoken = "{SECRETS["grafana"]}"\n'
    )
    return config


def echo(status: int) -> bytes:
    """A receiver that gives away what it was told, as a robot's errmsg or an error page may do."""
    said = {"errcode": 300_001, "errmsg": f"no robot {SECRETS['robot_token']}, {SECRETS['header']}"}
    return answer(status, "content-type: application/json\r\n", json.dumps(said).encode())


@asynccontextmanager
async def serving(config: Path) -> AsyncIterator[Running]:
    async with running(prepare(load(config, {})), Options(port=0), wall_ms) as server:
        yield server


async def answers(server: Running) -> str:
    """The answer of every GET of the API that needs no more than what is there."""
    said = []
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        document = (await http.get("/api/v1/openapi.json")).json()
        deliveries = (await http.get("/api/v1/deliveries")).json()["items"]
        known = {"message": deliveries[0]["id"], "alert": "none", "id": deliveries[0]["id"]}
        for path, operations in document["paths"].items():
            if "get" in operations and "stream" not in path:
                for name, value in known.items():
                    said.append((await http.get(path.replace("{" + name + "}", value))).text)
        for one in deliveries:
            said.append((await http.get(f"/api/v1/deliveries/{one['id']}")).text)
    return "\n".join(said) + json.dumps(deliveries)


async def test_no_secret_is_logged_or_answered(tmp_path: Path) -> None:
    async with hook(*[echo(500)] * 3) as receiver:
        receiver.otherwise = echo(200)
        config = configure(tmp_path, receiver)
        with everything_logged() as logged:
            async with serving(config) as server:
                now_ms = wall_ms()
                await server.desk.apply([finding("major", now_ms, f"g{n}") for n in range(3)], now_ms, {})
                await receiver.until_count(3)
                while len(server.courier.troubles()) < 3:
                    await server.courier.drain(0.05)
                told = await answers(server)
                troubles = json.dumps(server.courier.troubles()) + json.dumps(dict(server.vitals.health().components))
        sent = "".join(f"{taken.path} {taken.headers}" for taken in receiver.taken)
    assert SECRETS["robot_token"] in sent, "the receiver must have been told"
    assert SECRETS["header"] in sent
    assert "signed took no message" in logged.getvalue()
    for place, text in {"log": logged.getvalue(), "answers": told, "troubles": troubles}.items():
        for name, secret in SECRETS.items():
            assert secret not in text, f"{name} in {place}"


def test_no_secret_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configure(tmp_path, Hook(url="http://127.0.0.1:9/hook"))
    for words in (["doctor"], ["doctor", "--json"], ["deliveries", "list", "--json"], ["alerts", "list", "--json"]):
        run([*words, "--config", str(config)])
    (tmp_path / "routes.yaml").write_text(
        (tmp_path / "routes.yaml").read_text().replace("format: dingtalk", "forma: x")
    )
    run(["doctor", "--config", str(config)])
    said = capsys.readouterr()
    assert "forma" in said.out + said.err
    assert "glsa" not in said.out + said.err
    for name, secret in SECRETS.items():
        assert secret not in said.out + said.err, name
