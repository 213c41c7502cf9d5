"""Evidence on disk: whole or not at all, by what it is and not by what it is called."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from citywarden.cases.evidence import EvidenceStore, NotAccepted, shown_name, type_of
from citywarden.model.errors import NotFound
from tests.cases.case_builders import JPEG, PDF, PNG, evidence_store


async def chunks(content: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def files(store: EvidenceStore) -> list[Path]:
    return [path for path in store.folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("content", "type_"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (PDF, "application/pdf"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "video/mp4"),
        (b"<html><script>alert(1)</script>", None),
        (b"MZ\x90\0", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"GIF89a", None),
        (b"", None),
    ],
)
async def test_the_first_bytes_decide(content: bytes, type_: str | None, tmp_path: Path) -> None:
    store = evidence_store(tmp_path)
    assert type_of(content[:16]) == type_
    if type_ is None:
        with pytest.raises(NotAccepted):
            await store.take(chunks(content))
        assert files(store) == []
    else:
        stored = await store.take(chunks(content))
        assert (stored.type, stored.size, stored.sha256) == (type_, len(content), hashlib.sha256(content).hexdigest())
        assert store.path(stored.sha256).read_bytes() == content
        assert files(store) == [store.folder / stored.sha256[:2] / stored.sha256]


async def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    store = evidence_store(tmp_path)
    assert (await store.take(chunks(PNG))).sha256 == (await store.take(chunks(PNG, 3))).sha256
    assert len(files(store)) == 1


async def test_too_large_leaves_nothing(tmp_path: Path) -> None:
    store = evidence_store(tmp_path, largest=1000)
    await store.take(chunks(JPEG + b"x" * (1000 - len(JPEG))))
    with pytest.raises(NotAccepted, match="larger"):
        await store.take(chunks(PNG + b"x" * 1000))
    assert len(files(store)) == 1


async def test_half_an_upload_leaves_nothing(tmp_path: Path) -> None:
    store = evidence_store(tmp_path)

    async def broken() -> AsyncIterator[bytes]:
        yield PNG
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.take(broken())
    assert files(store) == []


async def test_what_a_crash_left_is_cleared(tmp_path: Path) -> None:
    store = evidence_store(tmp_path)
    kept = (await store.take(chunks(PNG))).sha256
    lost = (await store.take(chunks(PDF))).sha256
    (store.folder / ".partial" / "half").write_bytes(b"x")
    assert store.clear_partial() == 1
    now_s = store.path(lost).stat().st_mtime
    assert store.sweep({kept}, now_s + 60) == 0  # it may be on its way into the database
    assert store.sweep({kept}, now_s + 7200) == 1
    assert files(store) == [store.path(kept)]


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "a" * 63, "A" * 64, "/" + "0" * 63, "0" * 62 + "/.", ""])
def test_no_path_comes_from_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        evidence_store(tmp_path).path(name)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd.png"),
        ("C:\\photos\\lamp.jpeg", "lamp.png"),
        ("路灯（前）.exe", "路灯（前）.png"),
        ('a"\r\nset-cookie: x.png', "a___set-cookie_ x.png"),
        ("", "evidence.png"),
        ("." * 9, "evidence.png"),
        ("x" * 500, "x" * 120 + ".png"),
    ],
)
def test_names_are_only_shown(given: str, shown: str) -> None:
    assert shown_name(given, "image/png") == shown
