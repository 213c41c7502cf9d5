"""The device's side of a claim, as any firmware would do it: ask, wait, open the answer."""

import asyncio
import json
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace

import aiomqtt

from citywarden.model.credential import claim_login, claim_result_topic, claim_topic
from citywarden.model.errors import CitywardenError, Unavailable
from citywarden.provision.claims import Request, bootstrap_password, prove
from citywarden.provision.sealing import fresh_key, public_text, unseal


@dataclass(frozen=True, slots=True)
class Place:
    """The broker a device claims at."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a claim: `status` is a word of `Outcome`; `credentials` where it is `issued`."""

    status: str
    credentials: dict[str, object] | None = None


async def claim(
    place: Place, tenant: str, kind: str, serial: str, secret: str, now_ms: Callable[[], int], timeout_s: float = 15.0
) -> Answer:
    """Ask once. Raises Unavailable when the broker is away, and CitywardenError when nobody answers."""
    login = claim_login(tenant)
    key, nonce = fresh_key(), secrets.token_urlsafe(18)
    request = Request(serial, kind, nonce, now_ms(), public_text(key), "")
    request = replace(request, proof=prove(secret, tenant, request))
    client = aiomqtt.Client(
        place.host, place.port, username=login, password=bootstrap_password(secret),
        identifier=f"{login}/{serial}", tls_context=place.tls, timeout=timeout_s,
    )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_s), client:
            await client.subscribe(claim_result_topic(tenant, serial), qos=1)
            await client.publish(claim_topic(tenant), payload_of(request), qos=1)
            async for message in client.messages:
                answer = json.loads(message.payload)
                if answer.get("nonce") == nonce:
                    sealed = answer.get("sealed")
                    return Answer(answer["status"], None if sealed is None else unseal(sealed, key, nonce))
    except TimeoutError:
        raise CitywardenError(
            f"no answer within {timeout_s:g} s: wrong claim key, too many tries, or no server that answers claims"
        ) from None
    except aiomqtt.MqttError as error:
        raise Unavailable(f"{place.host}:{place.port}: {error}") from None
    raise Unavailable(f"{place.host}:{place.port}: the connection was lost")


def payload_of(request: Request) -> bytes:
    """The request as it is sent."""
    return json.dumps(
        {
            "serial": request.serial,
            "kind": request.kind,
            "nonce": request.nonce,
            "ts": request.ts_ms,
            "public_key": request.public_key,
            "proof": request.proof,
        }
    ).encode()
