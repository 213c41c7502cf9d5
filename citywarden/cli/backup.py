"""`citywarden backup` and `citywarden restore`: everything a server keeps in one file, and back."""

from pathlib import Path

import click

from citywarden.cli.options import as_json, configured, print_facts, print_json, settings_of
from citywarden.cli.running import wall_ms
from citywarden.model.wire import timestamp
from citywarden.serve.backup import commands, restoring
from citywarden.serve.backup.contents import Manifest
from citywarden.serve.recording import record_there


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@configured
@as_json
def backup(file: Path, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Save registry, alerts, log, embedded store, keys and evidence in FILE (.tar.gz), also while the server runs.

    It has everything in it, secrets too: only its owner may read it, and it belongs where they are safe.
    """
    settings = settings_of(config, data)
    manifest = commands.backup(settings, file, wall_ms)
    record_there(settings, "backup.take", file.name, f"{sum(table.rows for table in manifest.tables.values())} rows")
    _show(file, manifest, as_json, [])


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace what is in the data folder and the database.")
@configured
@as_json
def restore(file: Path, force: bool, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Put the backup FILE into an empty data folder and database, all of it or nothing. The server must not run.

    The database may be another one than it was: a backup from SQLite goes into PostgreSQL, and back.
    """
    settings = settings_of(config, data)
    restored = restoring.restore(file, settings, force)
    record_there(settings, "backup.restore", file.name, f"as it was at {timestamp(restored.manifest.made_ms)}")
    _show(file, restored.manifest, as_json, list(restored.notes))


def _show(file: Path, manifest: Manifest, as_json: bool, notes: list[str]) -> None:
    rows = {name: table.rows for name, table in manifest.tables.items()}
    if as_json:
        print_json({
            "file": str(file), "version": manifest.version, "made_ms": manifest.made_ms, "bytes": manifest.bytes,
            "tables": rows, "files": sorted(manifest.files), "notes": notes,
        })  # fmt: skip
        return
    print_facts({
        "file": file, "version": manifest.version, "unpacked": f"{manifest.bytes / 2**20:.1f} MiB",
        "rows": sum(rows.values()), "devices": rows.get("device", 0), "alerts": rows.get("alert", 0),
        "other files": sum(name.startswith("data/") for name in manifest.files),
    })  # fmt: skip
    for note in notes:
        click.echo(f"citywarden: note: {note}", err=True)
