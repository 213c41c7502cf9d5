"""Buckets, retention and tasks: made where they are missing, mended where they differ. Again changes nothing."""

import time

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket import Bucket
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.domain.dbrp_create import DBRPCreate
from influxdb_client.domain.task_create_request import TaskCreateRequest
from influxdb_client.domain.task_update_request import TaskUpdateRequest
from influxdb_client.service.dbr_ps_service import DBRPsService

from citywarden.model.kind import Kinds
from citywarden.store.influx.administration import administer, bucket, organisation
from citywarden.store.influx.downsampling import KEEP, KEPT, Keep, Task, buckets, oldest, records, tasks
from citywarden.store.influx.filling import PIECES_MS, fill, planned
from citywarden.store.influx.server import Place, parse_place

DAY_S = 86_400
UNFINISHED = "_unfinished"
"""Behind the name of the bucket of records until it is filled."""


async def set_up(url: str, token: str, kinds: Kinds, keep: Keep = KEEP) -> list[str]:
    """Make everything as it should be, folds of old readings too; returns what was done, one line each.

    Raises ConfigurationError for a wrong URL, Unavailable when the server does not answer or the token may not.
    """
    return await tend(url, token, kinds, keep) + await fill(url, token, kinds)


async def tend(url: str, token: str, kinds: Kinds, keep: Keep = KEEP) -> list[str]:
    """As `set_up`, but only mark what old readings are to be folded: `fill` does it."""
    place = parse_place(url)
    return await administer(place, token, lambda client: _tend(client, place, kinds, keep, True))


async def examine(url: str, token: str, kinds: Kinds, keep: Keep = KEEP) -> list[str]:
    """What `tend` would do, one line each; nothing when all is well. Raises as it does."""
    place = parse_place(url)
    return await administer(place, token, lambda client: _tend(client, place, kinds, keep, False))


def _tend(client: InfluxDBClient, place: Place, kinds: Kinds, keep: Keep, do: bool) -> list[str]:
    org_id = organisation(client, place)
    was_there = bucket(client, org_id, place.bucket) is not None
    done: list[str] = []
    for name, days in buckets(place.bucket, keep).items():
        found, suffix = bucket(client, org_id, name), name.removeprefix(place.bucket)
        if found is not None:
            done += _tend_bucket(client, found, days, do)
        elif not do:
            done.append(f"bucket {name} is missing")
        elif suffix == KEPT and was_there:
            done += _move_records(client, org_id, place, days)
        else:
            mark = _mark(client, place, suffix, days) if was_there and kinds else ""
            _make(client, org_id, name, days, mark)
            done.append(f"bucket {name} made, keeps {_kept(days)}")
    return done + [line for task in tasks(place.bucket, kinds) for line in _tend_task(client, org_id, task, do)]


def _move_records(client: InfluxDBClient, org_id: str, place: Place, days: int | None) -> list[str]:
    """The bucket of records gets its name once the records that lived among the readings are in it, so that nothing
    newer is written before them; interrupted, it is done again.
    """
    name = place.bucket + KEPT
    made = bucket(client, org_id, name + UNFINISHED) or _create(client, org_id, name + UNFINISHED, days, "")
    text = records(place.bucket, name + UNFINISHED)
    client.query_api().query_raw(text, org=place.org).read()
    made.name = name
    client.buckets_api().update_bucket(made)
    _map(client, org_id, made)
    what = f"bucket {name} filled with the records that {place.bucket} had"
    return [f"bucket {name} made, keeps {_kept(days)}", what]


def _mark(client: InfluxDBClient, place: Place, suffix: str, days: int | None) -> str:
    found = client.query_api().query(oldest(place.bucket), org=place.org) if suffix in PIECES_MS else []
    if not found:
        return ""
    oldest_ms = int(found[0].records[0].get_time().timestamp() * 1000)
    return planned(suffix, oldest_ms, time.time_ns() // 1_000_000, days).mark()


def _make(client: InfluxDBClient, org_id: str, name: str, days: int | None, mark: str) -> None:
    _map(client, org_id, _create(client, org_id, name, days, mark))


def _create(client: InfluxDBClient, org_id: str, name: str, days: int | None, mark: str) -> Bucket:
    rule = BucketRetentionRules(type="expire", every_seconds=_seconds(days))
    return client.buckets_api().create_bucket(
        bucket_name=name, retention_rules=rule, org=org_id, description=mark or None
    )


def _seconds(days: int | None) -> int:
    return (days or 0) * DAY_S


def _kept(days: int | None) -> str:
    return "for ever" if days is None else f"{days} days"


def _tend_bucket(client: InfluxDBClient, found: Bucket, days: int | None, do: bool) -> list[str]:
    rules = found.retention_rules
    if (rules[0].every_seconds if rules else 0) == _seconds(days):
        return []
    if do:
        found.retention_rules = [BucketRetentionRules(type="expire", every_seconds=_seconds(days))]
        client.buckets_api().update_bucket(found)
    return [f"bucket {found.name} keeps {_kept(days)} now" if do else f"bucket {found.name} should keep {_kept(days)}"]


def _map(client: InfluxDBClient, org_id: str, made: Bucket) -> None:
    """Give the bucket its name in InfluxQL, which a server derives only where nothing else has that name."""
    database, _, policy = str(made.name).partition("/")
    service = DBRPsService(client.api_client)
    known = service.get_dbr_ps(org_id=org_id, db=database, rp=policy or "autogen").content
    if not any(one.bucket_id == made.id for one in known):
        wanted = DBRPCreate(
            org_id=org_id, bucket_id=made.id, database=database, retention_policy=policy or "autogen", default=True
        )
        service.post_dbrp(wanted)


def _tend_task(client: InfluxDBClient, org_id: str, task: Task, do: bool) -> list[str]:
    api = client.tasks_api()
    found = api.find_tasks(name=task.name, org_id=org_id)
    if not found:
        if do:
            api.create_task(task_create_request=TaskCreateRequest(flux=task.flux, org_id=org_id, status="active"))
        return [f"task {task.name!r} made" if do else f"task {task.name!r} is missing"]
    if found[0].flux.strip() == task.flux.strip() and found[0].status == "active":
        return []
    if do:
        api.update_task_request(found[0].id, TaskUpdateRequest(flux=task.flux, status="active"))
    return [f"task {task.name!r} brought up to date" if do else f"task {task.name!r} is not up to date"]
