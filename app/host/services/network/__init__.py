"""The only code that opens connections to the world, on the record and behind the user's switch.

Only what the user starts may call it: downloads, searches, update checks, remote models.
"""

from app.host.services.network.addresses import LOOPBACK, Address, address_of
from app.host.services.network.answer import Answer
from app.host.services.network.errors import NetworkError
from app.host.services.network.ledger import Ledger
from app.host.services.network.seam import Network, Timeouts

__all__ = ["LOOPBACK", "Address", "Answer", "Ledger", "Network", "NetworkError", "Timeouts", "address_of"]
