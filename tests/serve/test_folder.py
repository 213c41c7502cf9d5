"""Two servers on one data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from citywarden.database import connect
from citywarden.log.logfile import LogFile
from citywarden.model.errors import CitywardenError, Occupied
from citywarden.serve.folder import RESTORING, claimed, held

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from citywarden.serve.folder import claimed
with claimed(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_a_folder_has_one_server_and_is_free_when_that_one_dies(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(Occupied, match=rf"process {other.pid}.*--data"), claimed(tmp_path):
            pass
        assert held(tmp_path)
        other.kill()
    with claimed(tmp_path):
        pass
    assert not held(tmp_path)


def test_a_half_restored_folder_starts_no_server(tmp_path: Path) -> None:
    (tmp_path / RESTORING).touch()
    with pytest.raises(CitywardenError, match="restore FILE --force"), claimed(tmp_path):
        pass
    with claimed(tmp_path, unfinished=True):
        pass


def test_what_is_made_in_it_is_its_owners_alone(tmp_path: Path) -> None:
    """Claim keys stand in the database, and in the log what devices say."""
    before = os.umask(0o022)
    try:
        data = tmp_path / "data"
        with claimed(data):
            engine = connect(f"sqlite:///{data / 'x.sqlite'}")
            engine.connect().close()
            log = LogFile(data / "log.sqlite", durable=False)
            modes = {file.name: oct(file.stat().st_mode & 0o777) for file in data.iterdir()}
            engine.dispose()
            log.close()
    finally:
        os.umask(before)
    assert oct(data.stat().st_mode & 0o777) == "0o700"
    assert {"x.sqlite", "log.sqlite", "log.sqlite-wal"} <= modes.keys()
    assert set(modes.values()) == {"0o600"}, modes


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CitywardenError, match="cannot be used"), claimed(tmp_path / "file" / "data"):
        pass
