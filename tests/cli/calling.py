"""The command line, called as a person calls it."""

import json
from typing import Any

import pytest

from citywarden.cli import run


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """(exit code, stdout, stderr)."""
    code = run([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    """What a command that went well prints with --json."""
    code, out, err = call(capsys, *words, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)
