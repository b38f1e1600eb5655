"""Take pictures of the window about models, in light and dark, over stand-in data.

    .venv/bin/python -m scripts.model_screenshots [--out docs/images] [--theme light dark]

Writes models_installed, models_catalogue, models_search, models_downloads, models_settings and models_prompt
(.png; the dark ones end in _dark). The data are those of the tests, so that each state of a download and each
verdict on a fit is in the picture at the same moment; the window itself is the program's own. Look at them.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync
from PySide6.QtWidgets import QScrollArea, QWidget

from app.core.settings import Settings
from app.protocol.catalogue import ListCatalogue, ListHubFiles, SearchHub
from app.protocol.downloads import DownloadList, ListDownloads
from app.protocol.models import (
    FindFolders,
    FitModel,
    GetModelSettings,
    ListModels,
    ModelChanged,
    PreviewPrompt,
    PromptPreview,
)
from app.protocol.network import GetNetwork
from app.protocol.system import GetSettings, SettingsBody
from app.ui.application import create_application
from app.ui.models.controller import ModelsController
from app.ui.models.settings_dialog import ModelSettingsDialog
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.fakes import FakeSession
from tests.ui.models import samples

TOP_DIR = Path(__file__).resolve().parents[1]
SIZE = (1120, 760)
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}\n{% endfor %}<|assistant|>\n"
PROMPT = (
    "<|system|>\nYou are a helpful assistant.\n<|user|>\nWhat is a quantization?\n"
    "<|assistant|>\nA way to store weights in fewer bits.\n<|user|>\nDoes it cost quality?\n<|assistant|>\n"
)


def stand_in() -> FakeSession:
    """Make a session whose host knows the tests' models."""
    session = FakeSession()
    for request, answer in (
        (ListModels, samples.MODELS),
        (FindFolders, samples.FOLDERS),
        (ListCatalogue, samples.CATALOGUE),
        (ListDownloads, DownloadList(downloads=samples.DOWNLOADS.downloads)),
        (GetNetwork, samples.NETWORK),
        (SearchHub, samples.HITS),
        (ListHubFiles, samples.HIT_FILES),
        (GetSettings, SettingsBody(values=Settings().model_dump())),
        (
            GetModelSettings,
            samples.settings_body(context_length=16384, kv_type="q8_0", temperature=0.7, template=TEMPLATE),
        ),
        (FitModel, samples.TIGHT),
        (PreviewPrompt, PromptPreview(text=PROMPT, stop=("<|user|>",))),
    ):
        session.reply(request, answer)
    return session


class ModelPhotographer:
    """Drives the window through its pictures."""

    def __init__(
        self, controller: ModelsController, session: FakeSession, out_dir: Path, ending: str
    ) -> None:
        """Write into a folder; `ending` closes the pictures' names."""
        self._controller, self._session = controller, session
        self._out_dir, self._ending = out_dir, ending

    async def until(self, what: str, condition: Callable[[], object]) -> None:
        """Wait for something, 10 seconds at most, and a little for what follows it."""
        for _ in range(500):
            if condition():
                await asyncio.sleep(0.3)
                return
            await asyncio.sleep(0.02)
        raise SystemExit(f"This did not come about: {what}.")

    def shoot(self, widget: QWidget, name: str) -> None:
        """Save a picture."""
        widget.grab().save(str(self._out_dir / f"models_{name}{self._ending}.png"))

    async def pages(self) -> None:
        """Take the four pages."""
        controller, window = self._controller, self._controller.window
        window.resize(*SIZE)
        controller.open("installed")
        await self.until("the list", lambda: controller.pages.installed.list.current is not None)
        self._session.deliver(ModelChanged(model=samples.LOADING, progress=0.43))
        await self.until("folders", lambda: controller.pages.installed.folders.lines)
        self.shoot(window, "installed")
        controller.open("catalogue")
        controller.pages.catalogue.list.choose(samples.QWEN_OFFER.id)
        await self.until("a model", lambda: controller.pages.catalogue.details.offer == samples.QWEN_OFFER)
        self.shoot(window, "catalogue")
        controller.open("search")
        search = controller.pages.search
        search.field.setText("mistral 7b instruct")
        search.button.click()
        await self.until("results", lambda: search.is_filled)
        search.list.choose(samples.HIT.id)
        await self.until("files", lambda: search.details.rows.items)
        self.shoot(window, "search")
        controller.open("downloads")
        await self.until("downloads", lambda: controller.pages.downloads.cards)
        self.shoot(window, "downloads")

    async def settings(self) -> None:
        """Take the settings, and the part about the prompt."""
        self._controller.open_settings(samples.QWEN.name)
        dialog = await self._open_dialog()
        self.shoot(dialog, "settings")
        template, area = dialog.template, dialog.findChild(QScrollArea)
        if template is None or not isinstance(area, QScrollArea):
            raise SystemExit("The settings have no template.")
        await self.until("a preview", lambda: template.preview.toPlainText())
        area.ensureWidgetVisible(template)
        await asyncio.sleep(0.2)
        self.shoot(dialog, "prompt")
        dialog.reject()

    async def _open_dialog(self) -> ModelSettingsDialog:
        settings = self._controller.settings
        await self.until(
            "settings", lambda: settings.dialog is not None and not settings.dialog.fit.isHidden()
        )
        if settings.dialog is None:
            raise SystemExit("The settings were closed.")
        return settings.dialog


async def take(out_dir: Path, themes: list[str]) -> None:
    """Take all pictures in each of the themes."""
    for name in themes:
        theme, tasks, session = Theme(name), TaskSpawner(Notifier()), stand_in()
        theme.apply()
        controller = ModelsController(session, tasks, theme, None)
        theme.dress(controller.window)
        camera = ModelPhotographer(controller, session, out_dir, "_dark" if name == "dark" else "")
        await camera.pages()
        await camera.settings()
        controller.close()
        await tasks.close()


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TOP_DIR / "docs" / "images")
    parser.add_argument("--theme", nargs="+", choices=("light", "dark"), default=["light", "dark"])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    loop = qasync.QEventLoop(create_application(), set_running_loop=False)
    asyncio.set_event_loop(loop)
    with loop:
        loop.run_until_complete(take(options.out, options.theme))
    return 0


if __name__ == "__main__":
    sys.exit(main())
