"""The live picture as each tenant may see it: one watcher for those who see every tenant, and one for each tenant."""

import asyncio

from nicegui import ui

from citywarden.model.identity import Identity
from dashboards.api.rights import identity_of
from dashboards.console.broadcast import Broadcast
from dashboards.console.sight import Bands
from dashboards.scoping import narrowed
from dashboards.sources import Sources

TENANTS = 200
"""Watchers held ready at most; those nobody looks at go first."""


class Views:
    """The watchers, made when somebody first needs them. Without a page none of them runs."""

    def __init__(self, sources: Sources, bands: Bands | None = None) -> None:
        self._bands = bands
        self.whole = Broadcast(sources, bands)
        self._narrow: dict[str, Broadcast] = {}

    def of(self, who: Identity) -> Broadcast:
        """What somebody may watch; its `sources` are what they may read."""
        if who.tenant is None:
            return self.whole
        found = self._narrow.get(who.tenant)
        if found is None:
            if len(self._narrow) >= TENANTS:
                self._narrow = {tenant: one for tenant, one in self._narrow.items() if one.viewers}
            found = self._narrow[who.tenant] = Broadcast(narrowed(self.whole.sources, who.tenant), self._bands)
        return found

    def mine(self) -> Broadcast:
        """What whoever asked for the present page may watch."""
        return self.of(identity_of(ui.context.client.request))

    async def stop(self) -> None:
        """Stop all of them."""
        await asyncio.gather(*(one.stop() for one in (self.whole, *self._narrow.values())))
