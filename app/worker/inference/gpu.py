"""The graphics processors that a model may be given to."""

import logging

from app.protocol.hardware import Gpu
from app.worker.inference.backend import has_gpu
from app.worker.inference.native import lib
from app.worker.probe.devices import Devices

log = logging.getLogger(__name__)


def usable_gpus() -> tuple[Gpu, ...]:
    """Give the graphics processors that the engine found, with their free memory now."""
    if not has_gpu():
        return ()
    try:
        return Devices(lib).gpus()
    except AttributeError:  # an engine without these functions
        log.info("the engine cannot be asked for its devices", exc_info=True)
        return ()
