"""InfluxDB's own books of organisations and buckets, through influxdb-client. Its calls block: they run in a thread."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket import Bucket
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from citywarden.model.errors import Unavailable
from citywarden.store.influx.server import Place

TIMEOUTS_MS = (3_000, 30_000)
"""To connect, and until the answer."""

T = TypeVar("T")


async def administer(place: Place, token: str, job: Callable[[InfluxDBClient], T]) -> T:
    """What the job gives. Raises Unavailable when the server does not answer or the token may not."""
    return await asyncio.to_thread(_with_client, place, token, job)


def _with_client(place: Place, token: str, job: Callable[[InfluxDBClient], T]) -> T:
    with InfluxDBClient(url=place.base, token=token, org=place.org, timeout=TIMEOUTS_MS, retries=False) as client:
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


def organisation(client: InfluxDBClient, place: Place) -> str:
    """The organisation's id. Raises Unavailable when the token does not see it."""
    try:
        (org, *_) = client.organizations_api().find_organizations(org=place.org)
    except (ApiException, ValueError) as error:
        if isinstance(error, ApiException) and error.status != 404:
            raise
        what = f"has no organisation {place.org!r} that the token may see: correct store.url, or make it"
        raise Unavailable(f"{place} {what}") from error
    return str(org.id)


def bucket(client: InfluxDBClient, org_id: str, name: str) -> Bucket | None:
    """The bucket of that name."""
    try:
        found: list[Bucket] = client.buckets_api().find_buckets(name=name, org_id=org_id).buckets
    except ApiException as error:
        if error.status == 404:
            return None
        raise
    return found[0] if found else None
