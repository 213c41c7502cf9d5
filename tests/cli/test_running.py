"""How a process of ours ends."""

import subprocess
import sys

SETTLED = """
import duckdb
from citywarden.cli.memory import settle
from citywarden.cli.running import run

async def main():
    connection = duckdb.connect()
    settle()
    connection.close()

run(main())
"""


def test_a_process_that_settled_ends_without_a_complaint() -> None:
    done = subprocess.run([sys.executable, "-c", SETTLED], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
