"""The API against its own OpenAPI document: whatever may be asked is answered as it says, and nothing breaks it."""

from collections.abc import Iterator
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
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from citywarden.model.identity import Role
from tests.api.served import Served
from tests.fuzz.effort import EFFORT

EXAMPLES = {schemathesis.GenerationMode.POSITIVE: 3, schemathesis.GenerationMode.NEGATIVE: 1}
"""For each operation; what one run finds, every run finds, unless it is a long one."""

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
NEVER_ENDS = ("/api/v1/stream",)


@pytest.fixture(scope="module")
def schema(server: Served) -> BaseSchema:
    headers = server.headers(Role.ADMINISTRATOR)
    return schemathesis.openapi.from_url(f"{server.url}/api/v1/openapi.json", headers=headers, timeout=60)


def operations(schema: BaseSchema, mode: schemathesis.GenerationMode) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    """All of them. What breaks the schema costs a second each to make up, so in the suite there are a few only:
    `test_every_route` has it without a generator.
    """
    few = EFFORT == 1 and mode is schemathesis.GenerationMode.NEGATIVE
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path in NEVER_ENDS or (few and operation.method != "patch" and "{" not in operation.path):
            continue
        if few and operation.method == "get":
            continue
        yield operation


@pytest.mark.parametrize("mode", EXAMPLES)
def test_every_operation_keeps_its_word(server: Served, schema: BaseSchema, mode: schemathesis.GenerationMode) -> None:
    tried, broken = 0, []
    checks = CHECKS if mode is schemathesis.GenerationMode.POSITIVE else [*CHECKS, negative_data_rejection]
    with requests.Session() as session:
        session.headers.update(server.headers(Role.ADMINISTRATOR))
        for operation in operations(schema, mode):

            @settings(
                max_examples=EXAMPLES[mode] * EFFORT, deadline=None, database=None, derandomize=EFFORT == 1,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck), verbosity=Verbosity.quiet,
            )  # fmt: skip
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Case[Any]) -> None:
                case.validate_response(case.call(timeout=20, session=session), checks=checks)

            try:
                ask()
            except Unsatisfiable:
                continue
            except Exception as error:
                broken.append(f"{operation.label}: {error}")
            tried += 1
    assert not broken, "\n\n".join(broken)
    assert tried > 10
