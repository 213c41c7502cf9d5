"""Golden payloads: what devices of each kind send, and what becomes of it. A new kind needs its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from citywarden.log.contract import Slice
from citywarden.model.message import RawMessage
from ingest.decode import Decoder
from tests.builders import KINDS, device

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*/*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden_payload(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    who = device(path.parent.name, profile=case.get("profile", {}))
    topic = f"city/{who.tenant}/{who.kind}/{who.id}/telemetry"
    message = RawMessage(topic, case["payload"].encode(), case["received_ms"])
    decoded = Decoder(KINDS, {who.key: who}.get).decode(Slice(0, 100, (message,)))
    readings = [
        {"ts_ms": r.ts_ms, "values": dict(r.values)} | ({} if r.ts_given else {"ts_given": False})
        for batch in decoded.columns
        for r in batch.rows()
    ]
    assert readings == case["readings"]
    assert [{"item": d.item, "reason": d.reason, "detail": d.detail} for d in decoded.dead] == case["dead"]
    assert sorted(name for _, name in decoded.unknown_fields) == case.get("unknown", [])
    for letter in decoded.dead:
        assert (letter.partition, letter.offset, letter.topic) == (0, 100, topic)
        assert letter.payload == message.payload


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_golden_payloads_good_and_bad(kind: str) -> None:
    cases = [json.loads(path.read_text(encoding="utf-8")) for path in CASES if path.parent.name == kind]
    assert any(case["readings"] and not case["dead"] for case in cases), f"no good payload in golden/{kind}"
    assert any(case["dead"] for case in cases), f"no refused payload in golden/{kind}"
    shown = {field for case in cases for reading in case["readings"] for field in reading["values"]}
    assert shown == {q.field for q in KINDS[kind].sent}, "every field is shown in a good payload"
