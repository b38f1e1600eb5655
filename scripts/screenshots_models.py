"""Take pictures of the window about models: the real program with real engines, and a hub on this computer.

    .venv/bin/python -m scripts.screenshots_models [--out docs/images]

Writes models_installed, models_catalogue, models_search, models_downloads, models_settings, diagnostics and
network (.png), and each again in the dark theme. Look at them. The hub is the stand-in of the fault drills:
its repositories and files are made up.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import qasync
from PySide6.QtWidgets import QApplication, QWidget

from app.core.paths import data_paths, starter_models_dir
from app.protocol.downloads import ListDownloads, PauseDownload, StartDownload
from app.protocol.models import ChooseModel, FitModel
from app.ui.application import Program, create_application
from scripts.drive_window import Driver, StepFailed
from scripts.faults.hub_stand_in import Fault, HubStandIn
from scripts.screenshots import SIZE, TOP_DIR, start_display

_MODEL = "SmolLM2-135M-Instruct.Q4_1"
_PAGES = ("installed", "catalogue", "search", "downloads", "network", "diagnostics")


class Photographer(Driver):
    """Drives the window about models through the pictures."""

    async def skip_guide(self) -> None:
        """Wait for the host, and put the guide away."""
        await self.connected()
        await self.until("guide", lambda: self.window.guide.dialog is not None)
        guide = self.window.guide.dialog
        assert guide is not None  # it was waited for
        guide.skip_button.click()

    async def measured(self) -> None:
        """Load the starter model and measure this machine, so that all figures are there."""
        session = self.program.session
        await session.call(FitModel(name="qwen3-4b"))
        await session.call(ChooseModel())
        await self.ask("Say hello to the reader in one sentence.")

    async def downloads(self, hub: HubStandIn) -> None:
        """Bring downloads into the states that the picture is to show."""
        session = self.program.session

        async def start(repository: str, file: str) -> str:
            began = await session.call(StartDownload(model=repository, file=file))
            return began.downloads[0].id

        async def reach(number: str, state: str) -> None:
            async with asyncio.timeout(60):
                while True:
                    listed = await session.call(ListDownloads())
                    if any(item.id == number and item.state == state for item in listed.downloads):
                        return
                    await asyncio.sleep(0.1)

        await reach(
            await start("orchard/Pippin-0.1B-Instruct-GGUF", "Pippin-0.1B-Instruct-Q8_0.gguf"), "done"
        )
        await reach(await start("orchard/Quince-0.1B-GGUF", "Quince-0.1B-Q4_K_M.gguf"), "failed")
        paused = await start("riverside/Brook-0.1B-Instruct-GGUF", "Brook-0.1B-Instruct-Q4_K_M.gguf")
        await reach(paused, "running")
        await asyncio.sleep(2)
        await session.call(PauseDownload(id=paused))
        running = await start("riverside/Heron-0.1B-Instruct-GGUF", "Heron-0.1B-Instruct-Q5_K_M.gguf")
        await start("riverside/Heron-0.1B-Instruct-GGUF", "Heron-0.1B-Instruct-Q4_K_M.gguf")
        await reach(running, "running")
        await asyncio.sleep(3)

    async def pages(self, mark: str) -> None:
        """Take a picture of each page and of the settings."""
        controller = self.window.models.controller
        for page in _PAGES:
            controller.open(page)
            if page == "installed":
                controller.show_model(_MODEL)
            controller.window.resize(1080, 720)
            await asyncio.sleep(2.5 if page == "diagnostics" else 1.2)
            self._keep(controller.window, f"models_{page}{mark}")
        controller.open_settings(_MODEL)
        await asyncio.sleep(2.0)
        dialog = QApplication.activeModalWidget() or _dialog_over(controller.window)
        if dialog is None:
            raise StepFailed("the settings of a model")
        self._keep(dialog, f"models_settings{mark}")
        dialog.close()

    async def search(self) -> None:
        """Search the hub and open a result."""
        controller = self.window.models.controller
        controller.open("search")
        pane = controller.pages.search
        pane.field.setText("instruct")
        controller.search.search("instruct")
        await asyncio.sleep(2.0)
        pane.list.choose_first()
        await asyncio.sleep(2.0)

    def _keep(self, widget: QWidget, name: str) -> None:
        if self.shots_dir is not None:
            widget.grab().save(str(self.shots_dir / f"{name}.png"))


def _dialog_over(window: QWidget) -> QWidget | None:
    shown = [
        widget for widget in QApplication.topLevelWidgets() if widget.isVisible() and widget is not window
    ]
    return next((widget for widget in shown if widget.inherits("QDialog")), None)


def fill(hub: HubStandIn, model_path: Path) -> None:
    """Put made-up models into the hub: the bytes of the starter model under other names."""
    data = model_path.read_bytes()
    hub.add("orchard/Pippin-0.1B-Instruct-GGUF", {"Pippin-0.1B-Instruct-Q8_0.gguf": data})
    hub.add("orchard/Quince-0.1B-GGUF", {"Quince-0.1B-Q4_K_M.gguf": data}, Fault("flipped_byte"))
    hub.add("riverside/Brook-0.1B-Instruct-GGUF", {"Brook-0.1B-Instruct-Q4_K_M.gguf": data}, seconds=60)
    names = ("Heron-0.1B-Instruct-Q4_K_M.gguf", "Heron-0.1B-Instruct-Q5_K_M.gguf")
    hub.add("riverside/Heron-0.1B-Instruct-GGUF", dict.fromkeys(names, data), seconds=120)


async def take(application: object, options: argparse.Namespace, work_dir: Path, hub: HubStandIn) -> None:
    """Take all pictures with a data folder below `work_dir`."""
    data_dir = work_dir / "data"
    data_dir.mkdir()
    settings = {"hub_endpoint": hub.endpoint, "bandwidth_limit_kb_s": 0}
    (data_dir / "settings.json").write_text(json.dumps(settings))
    arguments = argparse.Namespace(began=time.time(), timings=None, paths=[], n_refused=0)
    program = Program(application, data_paths(data_dir), arguments)  # type: ignore[arg-type]
    program.window.resize(*SIZE)
    running = asyncio.ensure_future(program.run())
    camera = Photographer(program, options.out)
    try:
        await camera.skip_guide()
        await camera.measured()
        await camera.downloads(hub)
        await camera.search()
        await camera.pages("")
        camera.shoot("status_line")
        program.window.choose_theme("dark")
        await camera.pages("_dark")
    finally:
        program.window.close_now()
        await running


def main() -> int:
    """Take the pictures; 1 where one could not be taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TOP_DIR / "docs" / "images")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    display = start_display()
    application = create_application()
    loop = qasync.QEventLoop(application, set_running_loop=False)
    asyncio.set_event_loop(loop)
    try:
        with tempfile.TemporaryDirectory() as work_dir, HubStandIn() as hub, loop:
            fill(hub, next((starter_models_dir() / "chat").glob("*.gguf")))
            loop.run_until_complete(take(application, options, Path(work_dir), hub))
    except StepFailed as failed:
        print(f"This did not come about: {failed}.", file=sys.stderr)
        return 1
    finally:
        if display is not None:
            display.terminate()
            display.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
