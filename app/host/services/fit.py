"""Fit advice for this machine: the memory that is free now, and how fast it was measured to be."""

import asyncio
import hashlib
import logging
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from app import __version__
from app.core.errors import AppError
from app.core.fit import Room, Wish, advise, advise_by_size, kv_cache_bytes
from app.core.free_memory import available_memory
from app.core.model_shape import ModelShape
from app.core.speech_fit import advise_speech, advise_voice
from app.host.services.answer_queue import AnswerQueue
from app.host.services.json_file import JsonFile
from app.host.services.ports import EnginePort, Events, Handler
from app.protocol.body import Body, from_json
from app.protocol.engine import Calibrate, Calibration, EngineInfo
from app.protocol.envelope import ProtocolError
from app.protocol.hardware import GetHardware, Gpu, Hardware
from app.protocol.models import Fit, ModelsChanged

log = logging.getLogger(__name__)

HARDWARE_AGE_S = 120.0
SOUND_KINDS = ("speech", "voice")
_TYPICAL_POSITION = 512
_LEAST_TOKENS = 32  # a shorter answer says little of the speed
_SHARE_OF_NEW = 0.2  # what one answer counts against all before
_ENDLESS = 2**60


class FitService:
    """Advises on models, with the free memory of now and a calibration kept in the data folder."""

    def __init__(
        self, hardware: Handler, engine: EnginePort, queue: AnswerQueue, path: Path, events: Events
    ) -> None:
        """Bind what is asked; `hardware` answers GetHardware, `path` is where the calibration is kept."""
        self._hardware_handler, self._engine, self._queue, self._events = hardware, engine, queue, events
        self._file = JsonFile(path, "The calibration")
        self._hardware: Hardware | None = None
        self._looked_at = 0.0
        self._look = asyncio.Lock()
        self._calibration: Calibration | None = None
        self._is_read = self._is_hopeless = False

    # ------------------------------------------------------------------------------------------ advice

    async def room(self, replaced: Iterable[EngineInfo] = ()) -> Room:
        """Give the memory that is free now, with what these models give back."""
        return _room(await self.gpu(), replaced)

    def room_now(self, replaced: Iterable[EngineInfo] = ()) -> Room:
        """Give the same with what was last heard of the graphics processor."""
        return _room(_best_gpu(self._hardware), replaced)

    def advise(self, shape: ModelShape | None, room: Room, wish: Wish | None = None) -> Fit:
        """Say whether a model fits into the room and how fast it should be."""
        return advise(shape, room, wish or Wish(), self.calibration())

    def advise_size(self, size_bytes: int, room: Room) -> Fit:
        """Give a first advice where only a file's size is known."""
        return advise_by_size(size_bytes, room, self.calibration())

    def advise_sound(self, kind: str, size_bytes: int, room: Room) -> Fit:
        """Give advice on a speech model or a voice (`kind`) whose weights take so many bytes on the disk."""
        rule = advise_speech if kind == "speech" else advise_voice
        return rule(size_bytes, room, self.calibration())

    def predict(self, shape: ModelShape | None, info: EngineInfo) -> Fit:
        """Say what was to be expected of a model that is loaded as `info` says."""
        wish = Wish(context_length=info.context_length, kv_type=info.kv_type, gpu_layers=info.n_gpu_layers)
        room = Room(available_bytes=_ENDLESS, gpu_available_bytes=_ENDLESS if info.n_gpu_layers else 0)
        return self.advise(shape, room, wish)

    async def gpu(self) -> Gpu | None:
        """Give the graphics processor that a model would be put on; None where there is none."""
        return _best_gpu(await self._current_hardware())

    def memory_changed(self) -> None:
        """Ask anew for the graphics processor's free memory: a model came or went."""
        self._hardware = None

    async def _current_hardware(self) -> Hardware:
        async with self._look:
            now = asyncio.get_running_loop().time()
            if self._hardware is None or now - self._looked_at > HARDWARE_AGE_S:
                answer = await self._hardware_handler(GetHardware(), _Silent())
                assert isinstance(answer, Hardware)
                self._hardware, self._looked_at = answer, now
            return self._hardware

    # ------------------------------------------------------------------------------------------ calibration

    def calibration(self) -> Calibration | None:
        """Give this machine's speed; None where it was not measured yet."""
        return self._calibration

    async def know_speed(self, *, wait: bool) -> None:
        """See that the machine is measured, once, while no answer is being made.

        Args:
            wait: until it is measured; else it happens in the background, and ModelsChanged tells.
        """
        await self._read()
        if self._calibration is not None or self._is_hopeless or not self._queue.is_free:
            return
        if wait:
            async with self._queue.turn():
                await self._measure()
        else:
            self._queue.try_background(self._measure_and_tell, "calibration")

    async def _read(self) -> None:
        if self._is_read:
            return
        key = _key(await self._current_hardware())
        value = await asyncio.to_thread(self._file.read)
        if value.get("machine") == key:
            try:
                self._calibration = from_json(Calibration, value.get("calibration") or {})
            except ProtocolError:
                self._calibration = None
        if self._calibration is not None and self._calibration.cpu_bytes_per_s <= 0:
            self._calibration = None
        self._is_read = True

    async def _measure_and_tell(self) -> None:
        await self._measure()
        if self._calibration is not None:
            self._events.publish(ModelsChanged())

    async def _measure(self) -> None:
        if self._calibration is not None:
            return
        try:
            measured = await self._engine.call(Calibrate())
        except AppError as error:  # advice goes without speeds then
            log.info("the machine was not measured: %s", error.code)
            self._is_hopeless = True
            return
        if measured.cpu_bytes_per_s <= 0:
            self._is_hopeless = True
            return
        self._calibration = measured
        await self._keep()

    async def _keep(self) -> None:
        assert self._calibration is not None
        value: dict[str, Any] = {
            "machine": _key(await self._current_hardware()),
            "calibration": asdict(self._calibration),
        }
        try:
            await asyncio.to_thread(self._file.write, value)
        except AppError as error:  # it is measured again next time
            log.info("the calibration was not kept: %s", error.code)

    async def note_speed(
        self, shape: ModelShape | None, info: EngineInfo, n_tokens: int, speed: float
    ) -> None:
        """Refine the calibration by an answer that was written on the processor, word by word.

        Args:
            shape: of the model.
            info: how it is loaded.
            n_tokens: of the answer, none of them guessed ahead.
            speed: tokens per second.
        """
        known = self._calibration
        if known is None or shape is None or info.n_gpu_layers or n_tokens < _LEAST_TOKENS:
            return
        seconds = 1 / speed - known.overhead_s
        if seconds <= 0:
            return
        n_read = shape.active_bytes + kv_cache_bytes(shape, _TYPICAL_POSITION, info.kv_type)
        rate = (1 - _SHARE_OF_NEW) * known.cpu_bytes_per_s + _SHARE_OF_NEW * n_read / seconds
        self._calibration = replace(known, cpu_bytes_per_s=rate)
        await self._keep()


class _Silent:
    """The context of a request that nobody sees."""

    payload = b""

    def progress(self, body: Body, payload: bytes = b"") -> None:
        """Tell nobody."""

    def forward(self, message: Any) -> None:
        """Tell nobody."""


def _best_gpu(hardware: Hardware | None) -> Gpu | None:
    usable = [gpu for gpu in hardware.gpus if gpu.tested is not False] if hardware is not None else []
    return max(usable, key=lambda gpu: (not gpu.integrated, gpu.memory_free_bytes), default=None)


def _room(gpu: Gpu | None, replaced: Iterable[EngineInfo]) -> Room:
    given_back = [_shares(info) for info in replaced]
    main_bytes = available_memory() + sum(main for main, _ in given_back)
    if gpu is None:
        return Room(available_bytes=main_bytes)
    return Room(
        available_bytes=main_bytes,
        gpu_available_bytes=gpu.memory_free_bytes + sum(on_gpu for _, on_gpu in given_back),
        gpu_integrated=gpu.integrated,
    )


def _shares(info: EngineInfo) -> tuple[int, int]:
    """Split what a model takes into main and GPU memory, by its layers."""
    if not info.n_layers:
        return info.measured_bytes, 0
    on_gpu = info.measured_bytes * min(info.n_gpu_layers, info.n_layers) // info.n_layers
    return info.measured_bytes - on_gpu, on_gpu


def _key(hardware: Hardware) -> str:
    """Name what speeds depend on: processor, engine, graphics processors, version of the program."""
    parts = [
        __version__,
        hardware.cpu.name,
        str(hardware.cpu.cores_used or hardware.cpu.logical_cores),
        hardware.engine.cpu_variant,
        *(f"{gpu.backend} {gpu.description}" for gpu in hardware.gpus),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
