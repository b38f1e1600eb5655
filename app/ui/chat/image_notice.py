"""Tells before sending why images cannot go along, and what can be done."""

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from app.ui.chat.composer import Composer
from app.ui.chat.controller import ChatController
from app.ui.chat.draft_images import FAILED
from app.ui.chat.model_chooser import ModelChooser
from app.ui.chat.model_words import is_usable, reads_images
from app.ui.elements.banner import Step


class ImageNotice(QObject):
    """Keeps the composer's images, and what stands in their way, up to date.

    Signals:
        library_wanted: paths (list of str) that are to go to the library instead.
        models_requested: show where to get a model that reads images.
    """

    library_wanted = Signal(list)
    models_requested = Signal()

    def __init__(self, controller: ChatController, models: ModelChooser, composer: Composer) -> None:
        """Follow the controller's conversation."""
        super().__init__(composer)
        self._controller, self._models, self._composer = controller, models, composer
        self._substitute = ""
        controller.images_changed.connect(self.refresh)
        composer.image_removed.connect(self._on_image_removed)
        composer.image_pasted.connect(self._on_image_pasted)

    @Slot()
    def refresh(self) -> None:
        """Show the images, and say what is in the way."""
        images = self._controller.current.images
        self._composer.show_images(images.items)
        failed = [item for item in images.items if item.state == FAILED]
        if not images.items:
            self._clear("")
        elif failed:
            error = failed[0].error
            words = f"{error.user_message} {error.hint}".strip() if error is not None else ""
            self._say(words, [(self.tr("Remove it"), self._remove_failed)])
        elif not self._model_reads_images():
            self._say_blind()
        else:
            self._clear(self.tr("An image is still being read.") if images.is_pending else "")

    def _model_reads_images(self) -> bool:
        """Tell whether the model that will answer can; one that is not known yet is given the benefit."""
        entry = self._models.entry()
        return entry is None or reads_images(entry)

    def _say_blind(self) -> None:
        items = self._controller.current.images.items
        can = [model for model in self._models.models if is_usable(model) and reads_images(model)]
        steps: list[Step] = []
        if can:
            best = next((model for model in can if model.state == "loaded"), can[0])
            self._substitute = best.name
            steps.append((self.tr("Use {0}").format(best.name), self._use_substitute))
        else:
            steps.append((self.tr("Get a model that reads images…"), self.models_requested.emit))
        if all(item.path for item in items):
            steps.append((self.tr("Add to the library instead"), self._move_to_library))
        steps.append((self.tr("Remove"), self._remove_all))
        self._say(self.tr("{0} cannot read images.").format(self._models.current), steps)

    def _say(self, words: str, steps: list[Step]) -> None:
        self._composer.set_obstacle(words)
        notice = self._composer.notice
        if notice.text != words or notice.isHidden() or len(notice.buttons) != len(steps):
            notice.say("warning", words, steps)

    def _clear(self, obstacle: str) -> None:
        self._composer.set_obstacle(obstacle)
        self._composer.notice.hide()

    @Slot()
    def _use_substitute(self) -> None:
        self._models.set_current(self._substitute)
        self._controller.choose_model(self._substitute)
        self.refresh()

    @Slot()
    def _move_to_library(self) -> None:
        paths = [item.path for item in self._controller.current.images.items]
        self._remove_all()
        self.library_wanted.emit(paths)

    @Slot()
    def _remove_all(self) -> None:
        self._controller.current.images.clear()

    @Slot()
    def _remove_failed(self) -> None:
        images = self._controller.current.images
        for item in images.items:
            if item.state == FAILED:
                images.remove(item.key)

    @Slot(int)
    def _on_image_removed(self, key: int) -> None:
        self._controller.current.images.remove(key)
        self._composer.edit.setFocus()

    @Slot(object)
    def _on_image_pasted(self, image: object) -> None:
        assert isinstance(image, QImage)  # the signal says so
        self._controller.current.images.add_image(image)
