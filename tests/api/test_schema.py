"""The API against its own OpenAPI document: whatever may be asked is answered as it says, and nothing breaks it."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from citywarden.cli.running import wall_ms
from citywarden.sections import Settings
from citywarden.serve.prepare import prepare
from citywarden.serve.server import Options, running
from tests.alerts.alert_builders import finding
from tests.builders import columns, device

EXAMPLES = {schemathesis.GenerationMode.POSITIVE: 3, schemathesis.GenerationMode.NEGATIVE: 1}
"""For each operation; what one run finds, every run finds."""

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EVERYTHING = bool(os.environ.get("CITYWARDEN_EVERYTHING"))
NEVER_ENDS = ("/api/v1/stream",)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A whole server with some data, in a thread of its own."""
    folder = tmp_path_factory.mktemp("api")
    address: list[str] = []
    up, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        configured = Settings(tenant="t", language="en", data=Path(folder))
        async with running(prepare(configured), Options(port=0), wall_ms) as server:
            server.registry.put([device("gas", "G1"), device("streetlight", "L1"), device("vehicle", "V1")])
            await server.store.write(columns("gas", [(n, {"co_ppm": float(n)}) for n in range(5)]))
            now_ms = wall_ms()
            await server.desk.apply([finding("major", now_ms, f"g{n}") for n in range(3)], now_ms, {})
            address.append(server.url)
            up.set()
            while not stop.is_set():
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert up.wait(60), "the server did not start"
    yield address[0]
    stop.set()
    thread.join(30)


@pytest.fixture(scope="module")
def schema(url: str) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")


def operations(schema: BaseSchema, mode: schemathesis.GenerationMode) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    """All of them; what breaks the schema costs a second each to make up, so by default for changes only."""
    wrong = mode is schemathesis.GenerationMode.NEGATIVE
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path in NEVER_ENDS or (wrong and operation.method == "get" and not EVERYTHING):
            continue
        yield operation


@pytest.mark.parametrize("mode", EXAMPLES)
def test_every_operation_keeps_its_word(schema: BaseSchema, mode: schemathesis.GenerationMode) -> None:
    tried, broken = 0, []
    with requests.Session() as session:
        for operation in operations(schema, mode):

            @settings(
                max_examples=EXAMPLES[mode], deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck), verbosity=Verbosity.quiet,
            )  # fmt: skip
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Case[Any]) -> None:
                case.validate_response(case.call(timeout=20, session=session), checks=CHECKS)

            try:
                ask()
            except Unsatisfiable:
                continue
            except Exception as error:
                broken.append(f"{operation.label}: {error}")
            tried += 1
    assert not broken, "\n\n".join(broken)
    assert tried > 10
