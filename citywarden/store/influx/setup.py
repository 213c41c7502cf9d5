"""Buckets, retention and tasks: made where they are missing, mended where they differ, through influxdb-client.

Its calls block, so they run in a thread. Running it again changes nothing.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket import Bucket
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.domain.dbrp_create import DBRPCreate
from influxdb_client.domain.task_create_request import TaskCreateRequest
from influxdb_client.domain.task_update_request import TaskUpdateRequest
from influxdb_client.rest import ApiException
from influxdb_client.service.dbr_ps_service import DBRPsService
from urllib3.exceptions import HTTPError

from citywarden.model.errors import Unavailable
from citywarden.model.kind import Kinds
from citywarden.store.influx.downsampling import (
    HOUR,
    KEEP,
    KEPT,
    NEWEST,
    Keep,
    Task,
    buckets,
    districts,
    fold,
    newest,
    oldest,
    records,
    tasks,
)
from citywarden.store.influx.server import Place, parse_place

DAY_S = 86_400
TIMEOUT_MS = 30_000

T = TypeVar("T")


async def set_up(url: str, token: str, kinds: Kinds, keep: Keep = KEEP) -> list[str]:
    """Make everything as it should be; returns what was done, one line each, nothing when all was well.

    Raises ConfigurationError for a wrong URL, Unavailable when the server does not answer or the token may not.
    """
    place = parse_place(url)
    return await asyncio.to_thread(_with_client, place, token, lambda client: _tend(client, place, kinds, keep, True))


async def examine(url: str, token: str, kinds: Kinds, keep: Keep = KEEP) -> list[str]:
    """What `set_up` would do, one line each; nothing when all is well. Raises as it does."""
    place = parse_place(url)
    return await asyncio.to_thread(_with_client, place, token, lambda client: _tend(client, place, kinds, keep, False))


def _with_client(place: Place, token: str, job: Callable[[InfluxDBClient], T]) -> T:
    with InfluxDBClient(url=place.base, token=token, org=place.org, timeout=TIMEOUT_MS, retries=False) as client:
        try:
            return job(client)
        except ApiException as error:
            if error.status in (401, 403):
                what = f"does not let the token administer buckets and tasks ({_words(error)})"
                raise Unavailable(f"{place} {what}: use an all-access token of the organisation") from error
            raise Unavailable(f"{place} answers {error.status}: {_words(error)}") from error
        except HTTPError as error:
            raise Unavailable(f"{place} cannot be reached: {error}") from error


def _words(error: ApiException) -> str:
    return " ".join(str(error.message or error.reason or error.body).split())[:300]


def _tend(client: InfluxDBClient, place: Place, kinds: Kinds, keep: Keep, do: bool) -> list[str]:
    try:
        (org, *_) = client.organizations_api().find_organizations(org=place.org)
    except (ApiException, ValueError) as error:
        if isinstance(error, ApiException) and error.status != 404:
            raise
        what = f"has no organisation {place.org!r} that the token may see: correct store.url, or make it"
        raise Unavailable(f"{place} {what}") from error
    org_id = str(org.id)
    was_there = _bucket(client, org_id, place.bucket) is not None
    done, empty = [], []
    for name, days in buckets(place.bucket, keep).items():
        lines = _tend_bucket(client, org_id, name, days, do)
        if lines and was_there and do and name != place.bucket:
            empty.append(name.removeprefix(place.bucket))
        done += lines
    done += [line for task in tasks(place.bucket, kinds) for line in _tend_task(client, org_id, task, do)]
    if KEPT in empty:
        empty.remove(KEPT)
        client.query_api().query_raw(records(place.bucket), org=place.org).read()
        done.append(f"bucket {place.bucket}{KEPT} filled with the records that {place.bucket} had")
    return done + (_fill_in(client, place, kinds, empty) if empty and kinds else [])


def _fill_in(client: InfluxDBClient, place: Place, kinds: Kinds, suffixes: list[str]) -> list[str]:
    """Fold the readings that were there before the buckets with these suffixes were, day by day."""
    api = client.query_api()
    found = api.query(oldest(place.bucket), org=place.org)
    if not found:
        return []
    start = found[0].records[0].get_time().replace(hour=0, minute=0, second=0, microsecond=0)
    now, day = datetime.now(UTC), timedelta(days=1)
    days = [start + n * day for n in range((now - start).days + 1)]
    for suffix in suffixes:
        if suffix == NEWEST:
            api.query_raw(newest(place.bucket, kinds, _flux(start), _flux(now)), org=place.org).read()
            continue
        for begin in days:
            window = (_flux(begin), _flux(begin + day))
            api.query_raw(fold(place.bucket, kinds, suffix, *window), org=place.org).read()
            if suffix == HOUR:
                api.query_raw(districts(place.bucket, kinds, *window), org=place.org).read()
    return [f"bucket {place.bucket}{suffix} filled with what {place.bucket} had" for suffix in suffixes]


def _flux(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _tend_bucket(client: InfluxDBClient, org_id: str, name: str, days: int | None, do: bool) -> list[str]:
    api, seconds = client.buckets_api(), (days or 0) * DAY_S
    kept = "for ever" if days is None else f"{days} days"
    bucket = _bucket(client, org_id, name)
    if bucket is None:
        if do:
            rule = BucketRetentionRules(type="expire", every_seconds=seconds)
            made = api.create_bucket(bucket_name=name, retention_rules=rule, org=org_id)
            _map(client, org_id, made)
        return [f"bucket {name} made, keeps {kept}" if do else f"bucket {name} is missing"]
    rules = bucket.retention_rules
    if (rules[0].every_seconds if rules else 0) == seconds:
        return []
    if do:
        bucket.retention_rules = [BucketRetentionRules(type="expire", every_seconds=seconds)]
        api.update_bucket(bucket)
    return [f"bucket {name} keeps {kept} now" if do else f"bucket {name} should keep {kept}"]


def _bucket(client: InfluxDBClient, org_id: str, name: str) -> Bucket | None:
    try:
        found: list[Bucket] = client.buckets_api().find_buckets(name=name, org_id=org_id).buckets
    except ApiException as error:
        if error.status == 404:
            return None
        raise
    return found[0] if found else None


def _map(client: InfluxDBClient, org_id: str, bucket: Bucket) -> None:
    """Give the bucket its name in InfluxQL, which a server derives only where nothing else has that name."""
    database, _, policy = str(bucket.name).partition("/")
    service = DBRPsService(client.api_client)
    known = service.get_dbr_ps(org_id=org_id, db=database, rp=policy or "autogen").content
    if not any(one.bucket_id == bucket.id for one in known):
        wanted = DBRPCreate(
            org_id=org_id, bucket_id=bucket.id, database=database, retention_policy=policy or "autogen", default=True
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
