"""Export and import: a round trip into an empty database changes nothing, and a wrong document changes nothing."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine

from citywarden.cases.desk import CaseDesk
from citywarden.cases.exchange import bring_in, contents, export, shape
from citywarden.cases.ledger import Ledger
from citywarden.model.case import Deed, Place, Step, Why
from citywarden.model.casequery import CaseQuery
from citywarden.model.casetime import Clock, Limit
from citywarden.model.errors import ConfigurationError
from citywarden.serve.tables import open_database
from tests.cases.case_builders import (
    JPEG,
    MINUTE_MS,
    MONDAY_MS,
    PDF,
    REWORK,
    deed,
    evidence_store,
    ledger,
    report,
    walk,
)

SCHEMA = Path(__file__).parents[2] / "docs/cases.schema.json"
NOW_MS = MONDAY_MS + 90 * MINUTE_MS


async def one(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def filled(book: Ledger, folder: Path) -> None:
    """A case of every sort, two with evidence."""
    desk = CaseDesk(book, evidence_store(folder), lambda: NOW_MS)
    book.open(report(alert="a1", about=("streetlight", "L1"), lat=None, lon=None, text="多行\n文字"), MONDAY_MS)
    closed = walk(book, book.open(report("gas_leak"), MONDAY_MS), Step.CLOSE, MONDAY_MS + MINUTE_MS)
    again = walk(book, book.open(report(), MONDAY_MS), Step.FINISH, MONDAY_MS + MINUTE_MS)
    book.take(again.id, REWORK, MONDAY_MS + 2 * MINUTE_MS)
    book.take(again.id, deed(Step.ASK_EXTENSION, why=Why.WEATHER, limit=Limit(2, Clock.BUSINESS_DAYS)), NOW_MS)
    gone = book.open(report(), MONDAY_MS)
    book.take(gone.id, Deed(Step.REJECT, "Li", why=Why.OTHER, note="已由另案处理"), MONDAY_MS)
    await desk.attach(closed, one(JPEG), "前.jpg", Place.BEFORE, "Wu")
    await desk.attach(closed, one(PDF), "验收单.pdf", Place.OTHER, "Wu")
    book.tick(NOW_MS)
    await desk.close()


def exported(book: Ledger, folder: Path, with_content: bool = True) -> bytes:
    store = evidence_store(folder)
    return b"".join(export(book, CaseQuery(), NOW_MS, contents(store) if with_content else lambda _one: None))


async def test_round_trip(engine: Engine, tmp_path: Path) -> None:
    book = ledger(engine)
    await filled(book, tmp_path / "a")
    text = exported(book, tmp_path / "a")
    other = ledger(open_database(f"sqlite:///{tmp_path / 'other.sqlite'}"))
    assert await bring_in(other, evidence_store(tmp_path / "b"), text, "x.json") == 4
    assert exported(other, tmp_path / "b") == text
    for case in orjson.loads(text)["cases"]:
        assert other.get(case["number"]) == book.get(case["id"])
    assert other.open(report(), MONDAY_MS).number == "20261123-0005"  # numbers go on
    other.engine.dispose()


async def test_without_contents_the_files_stay_named(engine: Engine, tmp_path: Path) -> None:
    book = ledger(engine)
    await filled(book, tmp_path / "a")
    document = orjson.loads(exported(book, tmp_path / "a", with_content=False))
    files = [file for case in document["cases"] for file in case["evidence"]]
    assert sorted(file["name"] for file in files) == ["前.jpg", "验收单.pdf"]
    assert all(file["content"] is None for file in files)


async def test_a_second_import_is_refused_whole(engine: Engine, tmp_path: Path) -> None:
    book = ledger(engine)
    await filled(book, tmp_path)
    text = exported(book, tmp_path)
    with pytest.raises(ConfigurationError, match=r"x.json: cases\[0\]: .* is there already"):
        await bring_in(book, evidence_store(tmp_path), text, "x.json")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda d: d.update(version=2), "version: "),
        (lambda d: d["cases"][0].update(stage="done"), "cases[0].stage: "),
        (lambda d: d["cases"][0].update(reported_at="yesterday"), "cases[0].reported_at: "),
        (lambda d: d["cases"][1].pop("title"), "cases[1].title: "),
        (lambda d: d["cases"].append(d["cases"][0]), "stands in cases[0] too"),
        (lambda d: _file(d).update(content=base64.b64encode(b"MZ").decode()), "does not fit its sha256"),
        (lambda d: _file(d).update(sha256="../../../etc/passwd"), "sha256: "),
        (lambda d: _file(d).update(type="text/html"), "the content is no text/html"),
    ],
)
async def test_a_wrong_document_changes_nothing(break_it: object, said: str, tmp_path: Path) -> None:
    book = ledger(open_database(f"sqlite:///{tmp_path / 'one.sqlite'}"))
    await filled(book, tmp_path)
    document = orjson.loads(exported(book, tmp_path))
    assert callable(break_it)
    break_it(document)
    other = ledger(open_database(f"sqlite:///{tmp_path / 'other.sqlite'}"))
    with pytest.raises(ConfigurationError) as caught:
        await bring_in(other, evidence_store(tmp_path / "b"), orjson.dumps(document), "x.json")
    assert said in str(caught.value)
    assert exported(other, tmp_path) != exported(book, tmp_path)
    assert orjson.loads(exported(other, tmp_path))["cases"] == []
    assert not (tmp_path / "b").exists()
    book.engine.dispose()
    other.engine.dispose()


def _file(document: dict[str, list[dict[str, list[dict[str, object]]]]]) -> dict[str, object]:
    return next(file for case in document["cases"] for file in case["evidence"])


def test_the_schema_in_the_documentation_is_the_one_in_force() -> None:
    assert json.loads(SCHEMA.read_text("utf-8")) == shape()
