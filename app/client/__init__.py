"""The asyncio client of the host: connects, starts it if need be, sends requests, hands out events."""

from app.client.client import Cancelled, HostClient, Replies

__all__ = ["Cancelled", "HostClient", "Replies"]
