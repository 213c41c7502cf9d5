"""How a command asks the running server for a backup: by a file in the data folder, which only its owner may write.

The server alone can copy its embedded store, and keep the log from being trimmed meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import orjson

from citywarden.model.errors import CitywardenError
from citywarden.serve.backup.contents import Manifest, read_manifest, write_manifest
from citywarden.serve.folder import held

REQUEST, ANSWER = "backup.request", "backup.answer"
LOOK_S = 0.5
HEARD_S = 15.0
"""A server that has not taken up a request after this long is none that can."""

_log = logging.getLogger(__name__)
Take = Callable[[Path], Awaitable[Manifest]]


@dataclass(frozen=True, slots=True)
class _Request:
    id: str
    target: Path


async def serve_requests(data: Path, take: Take) -> None:
    """Take the backups that are asked for, until cancelled."""
    (data / REQUEST).unlink(missing_ok=True)
    while True:
        if (request := _read(data / REQUEST)) is not None:
            (data / REQUEST).unlink(missing_ok=True)
            try:
                manifest = await take(request.target)
                answer: dict[str, str] = {"id": request.id, "manifest": write_manifest(manifest).decode()}
            except CitywardenError as error:
                answer = {"id": request.id, "error": str(error)}
            except Exception as error:
                _log.exception("the backup failed")
                answer = {"id": request.id, "error": f"the backup failed: {type(error).__name__}: {error}"}
            _write(data / ANSWER, answer)
        await asyncio.sleep(LOOK_S)


def ask(data: Path, target: Path) -> Manifest:
    """Have the running server write a backup, and wait for it. Raises CitywardenError."""
    number = uuid4().hex
    (data / ANSWER).unlink(missing_ok=True)
    _write(data / REQUEST, {"id": number, "target": str(target.absolute())})
    begin_s = time.monotonic()
    try:
        while True:
            answer = _load(data / ANSWER)
            if answer is not None and answer.get("id") == number:
                (data / ANSWER).unlink(missing_ok=True)
                if "error" in answer:
                    raise CitywardenError(answer["error"])
                return read_manifest(answer["manifest"].encode())
            if not held(data):
                raise CitywardenError("the server stopped before the backup was taken; run the command again")
            if (data / REQUEST).exists() and time.monotonic() - begin_s > HEARD_S:
                raise CitywardenError("the server does not take up the request: is it of an older version?")
            time.sleep(LOOK_S / 2)
    finally:
        (data / REQUEST).unlink(missing_ok=True)


def _read(file: Path) -> _Request | None:
    found = _load(file)
    if found is None or "id" not in found or "target" not in found:
        return None
    return _Request(found["id"], Path(found["target"]))


def _load(file: Path) -> dict[str, str] | None:
    try:
        tree = orjson.loads(file.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return {str(k): str(v) for k, v in tree.items()} if isinstance(tree, dict) else None


def _write(file: Path, tree: dict[str, str]) -> None:
    """Whole or not at all, for its owner only."""
    passing = file.with_name(file.name + ".tmp")
    passing.touch(mode=0o600)
    passing.write_bytes(orjson.dumps(tree))
    passing.rename(file)
