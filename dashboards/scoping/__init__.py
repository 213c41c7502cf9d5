"""Everything the pages and the API read, narrowed to one tenant in one place.

What is not narrowed here does not exist for a tenant: a room that is new in `Sources` is left out until it says how,
with a method `narrowed(tenant)` of its own that returns the room with nothing but that tenant's in it.
"""

from dataclasses import fields, replace
from functools import partial

from citywarden.model.identity import Identity
from dashboards.scoping.desks import TenantDirectory, TenantInbox, TenantLetters, TenantWork
from dashboards.scoping.dispatch import TenantDispatch
from dashboards.scoping.enrolment import TenantClaims, TenantEnrolment
from dashboards.scoping.live import TenantLive
from dashboards.scoping.store import TenantStore
from dashboards.sources import Health, Sources

__all__ = ["narrowed", "scoped"]

SHARED = frozenset({"kinds", "districts", "timezone", "language", "now_ms", "is_night", "audit", "access", "rules"})
"""The same for everybody: none of it is anybody's data, or it looks at who is asking by itself."""
OWN_FIGURES = frozenset({"messages_per_s", "ingest_lag_ms"})
"""Figures of the server that say nothing of what tenants have."""


def scoped(sources: Sources, who: Identity) -> Sources:
    """What somebody may read."""
    return sources if who.tenant is None else narrowed(sources, who.tenant)


def narrowed(sources: Sources, tenant: str) -> Sources:
    """The sources with nothing but a tenant's in them."""
    work = TenantWork(sources.work, tenant)
    inbox = TenantInbox(sources.alerts, tenant)
    rooms: dict[str, object] = {
        "live": TenantLive(sources.live, tenant, work.owns),
        "store": TenantStore(sources.store, tenant),
        "alerts": inbox,
        "work": work,
        "letters": TenantLetters(sources.letters, tenant),
        "devices": TenantDirectory(sources.devices, tenant),
        "dispatch": None if sources.dispatch is None else TenantDispatch(sources.dispatch, inbox, tenant),
        "enrolment": None if sources.enrolment is None else TenantEnrolment(sources.enrolment, tenant),
        "claims": None if sources.claims is None else TenantClaims(sources.claims, tenant),
        "health": partial(_health, sources),
        "metrics": _no_metrics,
    }
    for one in fields(Sources):
        if one.name not in rooms and one.name not in SHARED:
            narrow = getattr(getattr(sources, one.name), "narrowed", None)
            rooms[one.name] = None if narrow is None else narrow(tenant)
    return replace(sources, **rooms)  # type: ignore[arg-type]


def _health(sources: Sources) -> Health:
    """How the server is, without words and figures that tell of others."""
    health = sources.health()
    parts = {name: "ok" if state == "ok" else "not ok" for name, state in health.components.items()
             if not name.startswith("target ")}  # fmt: skip
    return Health(health.ok, parts, {name: value for name, value in health.figures.items() if name in OWN_FIGURES})


def _no_metrics() -> bytes:
    return b""
