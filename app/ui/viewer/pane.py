"""The viewer pane: a document, the citation that led to it, and the controls."""

from dataclasses import replace

from PySide6.QtCore import QMargins, QTimer, Signal, Slot
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QFrame, QStackedWidget, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.protocol.chat import Citation
from app.protocol.documents import DocumentInfo
from app.protocol.system import WorkerChanged
from app.ui.elements.banner import Banner
from app.ui.elements.message_card import MessageCard
from app.ui.elements.system_opener import Opener, SystemOpener
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S
from app.ui.viewer.chosen_words import ChosenWords
from app.ui.viewer.citation_bar import CitationBar
from app.ui.viewer.document_reader import DocumentReader
from app.ui.viewer.document_search import DocumentSearch
from app.ui.viewer.find_bar import FindBar
from app.ui.viewer.marks import Range
from app.ui.viewer.page_images import PageImages
from app.ui.viewer.pages_view import PagesView
from app.ui.viewer.recording import Recording
from app.ui.viewer.shortcuts import ViewerShortcuts
from app.ui.viewer.source_notice import SourceNotice
from app.ui.viewer.text_view import TextView
from app.ui.viewer.toolbar import ViewerToolbar
from app.ui.viewer.zoom import Fit

_OPENING_DELAY_MS = 150  # a document that opens faster never shows the waiting card


class ViewerPane(QFrame):
    """Opens citations and documents.

    Signals:
        closed: the user closed the document.
        reading_requested: words (str) of the document to read aloud.
    """

    closed = Signal()
    reading_requested = Signal(str)

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        theme: Theme,
        parent: QWidget | None = None,
        opener: Opener | None = None,
    ) -> None:
        """Create the pane without a document; `opener` opens files in the system's programs."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self._opener = opener or SystemOpener()
        self._citations: tuple[Citation, ...] = ()
        self._index = 0
        self._document_id: int | None = None
        self._start_page: int | None = None
        self._source_error: AppError | None = None
        self.reader = DocumentReader(session, tasks, self)
        self.images = PageImages(session, tasks, self)
        self.toolbar = ViewerToolbar(theme, self)
        self.citation_bar = CitationBar(theme, self)
        self.find_bar = FindBar(theme, self)
        self.banner = Banner(theme, self, QMargins(SPACE_M, 0, SPACE_M, SPACE_S))
        self._source_notice = SourceNotice(session, tasks, self.banner, self)
        self._chosen_words = ChosenWords(self.reader, tasks, self.banner, self)
        self.card = MessageCard(theme, self)
        self.pages = PagesView(self.reader, self.images, theme, self)
        self.text = TextView(self.reader, tasks, theme, self)
        self._view: PagesView | TextView = self.pages
        self.recording = Recording(session, tasks, theme, self.text, self.citation_bar, self)
        self.search = DocumentSearch(self.reader, self.find_bar, self)
        self._opening_timer = QTimer(self, singleShot=True, interval=_OPENING_DELAY_MS)
        self._lay_out()
        self._connect()
        ViewerShortcuts(self, self)
        self._show_nothing()

    # --- what the window calls

    def open_citation(self, citations: tuple[Citation, ...], index: int) -> None:
        """Open the document of one citation of an answer, at its words.

        Args:
            citations: all citations of the answer, to step through.
            index: which one.
        """
        self._citations, self._index = citations, index
        self.citation_bar.show_citation(citations, index)
        citation = citations[index]
        if self.reader.info is not None and citation.document_id == self._document_id:
            self._show_place()
        else:
            self._open(citation.document_id)

    def open_document(self, document_id: int, page: int | None = None) -> None:
        """Open a document, at a page."""
        self._citations = ()
        self.citation_bar.show_citation((), 0)
        self._start_page = page
        if self.reader.info is not None and document_id == self._document_id:
            self._show_place()
        else:
            self._open(document_id)

    @property
    def document_id(self) -> int | None:
        """The document shown or being opened; None while there is none."""
        return self._document_id

    @Slot()
    def close_document(self) -> None:
        """Let go of the document."""
        self._show_nothing()
        self.closed.emit()

    # --- opening

    def _open(self, document_id: int) -> None:
        self._document_id, self._source_error = document_id, None
        self.recording.close()
        self.banner.hide()
        self.reader.open(document_id)
        self._opening_timer.start()

    @Slot()
    def _on_opening_timer_timeout(self) -> None:
        name = self._citations[self._index].name if self._citations else self.tr("the document")
        self.card.say("document", self.tr("Opening {name} …").replace("{name}", name))
        self._set_controls_visible(False)
        self._stack.setCurrentWidget(self.card)

    @Slot(object)
    def _on_opened(self, info: DocumentInfo) -> None:
        self._opening_timer.stop()
        self.toolbar.set_document(info.name, info.path, len(info.pages))
        self.recording.open(info)
        self._set_controls_visible(True)
        self._source_notice.tell(info)
        self._show_info(info, as_text=not self._can_draw(info))
        self.search.start()

    @Slot(object)
    def _on_open_failed(self, error: AppError) -> None:
        self._opening_timer.stop()
        self.pages.clear()
        self.text.clear_document()
        self._set_controls_visible(False)
        self.card.say_error(
            self.tr("The document cannot be opened"),
            error,
            ((self.tr("Try again"), self._reopen), (self.tr("Close"), self.close_document)),
        )
        self._stack.setCurrentWidget(self.card)

    @Slot()
    def _reopen(self) -> None:
        if self._document_id is not None:
            self._open(self._document_id)

    def _show_nothing(self) -> None:
        self._opening_timer.stop()
        self._document_id, self._citations, self._start_page = None, (), None
        self.recording.close()
        self.reader.close()
        self.pages.clear()
        self.text.clear_document()
        self._set_controls_visible(False)
        self.card.say(
            "document",
            self.tr("No document is open"),
            self.tr("Click a citation in an answer, or double-click a file in the library."),
        )
        self._stack.setCurrentWidget(self.card)

    def _can_draw(self, info: DocumentInfo) -> bool:
        unchanged = info.source == "unchanged" and self._source_error is None
        return bool(info.renderable and info.pages and unchanged)

    def _show_info(self, info: DocumentInfo, *, as_text: bool) -> None:
        self._view = self.text if as_text else self.pages
        self._stack.setCurrentWidget(self._view)  # first, so that it knows its size
        self.toolbar.set_view(has_pixels=self._can_draw(info), shows_text=as_text)
        if as_text:
            self.pages.clear()
            place = self._cited or (self._page_start(info), 0)
            self.text.show_document(info, place[0])
        else:
            self.text.clear_document()
            self.pages.show_document(info)
        self.toolbar.set_zoom(self._view.zoom, self._view.fit)
        self.toolbar.set_page(max(1, self._view.page))
        self.search.show_in(self._view)
        self._show_place()

    def _page_start(self, info: DocumentInfo) -> int:
        if self._start_page is None or not 0 < self._start_page <= len(info.pages):
            return 0
        return info.pages[self._start_page - 1].char_start

    # --- places

    @property
    def _cited(self) -> Range | None:
        if not self._citations:
            return None
        citation = self._citations[self._index]
        return citation.char_start, citation.char_end

    def _show_place(self) -> None:
        self._view.set_cited(self._cited)
        self.recording.show_cited(self._cited)
        if self._cited is not None:
            self._view.reveal(self._cited, self._citations[self._index].page)
        elif self._start_page is not None:
            self._view.go_to_page(self._start_page)

    @Slot(int)
    def step_citation(self, direction: int) -> None:
        """Go to the next (1) or the previous (-1) citation of the answer."""
        index = self._index + direction
        if self._citations and 0 <= index < len(self._citations):
            self.open_citation(self._citations, index)

    @Slot(int)
    def step_page(self, direction: int) -> None:
        """Go to the next (1) or the previous (-1) page."""
        self._view.go_to_page(self._view.page + direction)

    @Slot(int)
    def _on_page_requested(self, number: int) -> None:
        self._view.go_to_page(number)

    @Slot(int)
    def _on_current_page_changed(self, number: int) -> None:
        self.toolbar.set_page(number)
        if QAccessible.isActive():
            self._describe_page(number)

    @Slot(int)
    def _describe_page(self, number: int) -> None:
        if self._view is self.pages and number == self.pages.page:
            name = self.tr("Page {n} of {total}").replace("{n}", str(number))
            total = len(self.reader.info.pages) if self.reader.info else 0
            self.pages.setAccessibleName(name.replace("{total}", str(total)))
            self.pages.setAccessibleDescription(self.reader.page_text(number) or "")

    # --- zoom

    @Slot(float)
    def _on_zoom_requested(self, zoom: float) -> None:
        self._view.set_zoom(zoom)

    @Slot(int)
    def step_zoom(self, steps: int) -> None:
        """Zoom in (positive) or out by steps."""
        self._view.step_zoom(steps)

    @Slot(object)
    def set_fit(self, fit: Fit) -> None:
        """Let the zoom follow the view's size; text goes back to its own size."""
        if isinstance(self._view, PagesView):
            self._view.set_fit(fit)
        else:
            self._view.set_zoom(1.0)

    @Slot(float)
    def _on_zoom_changed(self) -> None:
        self.toolbar.set_zoom(self._view.zoom, self._view.fit)

    # --- the text instead of the pages

    @Slot(bool)
    def _on_text_requested(self, wanted: bool) -> None:
        info = self.reader.info
        if info is None or wanted == (self._view is self.text):
            return
        page = self._view.page
        citations, self._citations = self._citations, ()
        self._start_page = page or None
        self._show_info(info, as_text=wanted)  # the place that was looked at counts, not the citation's
        self._citations = citations
        self._view.set_cited(self._cited)

    # --- failures

    @Slot(object)
    def _on_sound_failed(self, error: AppError) -> None:
        info = self.reader.info
        if info is not None and error.code == "document.source_changed":
            self._source_notice.tell(replace(info, source="changed"))
        elif info is not None and error.code == "document.source_missing":
            self._source_notice.tell(replace(info, source="missing"))
        else:
            self.banner.say_error(error, ((self.tr("Try again"), self.recording.play),))

    @Slot(object)
    def _on_source_lost(self, error: AppError) -> None:
        info = self.reader.info
        if info is None:
            return
        self._source_error = error
        self._source_notice.tell_lost(error)
        self._start_page = self.pages.page or self._start_page
        self._show_info(info, as_text=True)

    @Slot(int)
    def _on_page_failed(self, number: int) -> None:
        error = self.images.failure(number)
        if error is not None:
            words = self.tr("Page {n} could not be drawn; its text is shown instead. {reason} {hint}")
            words = words.replace("{n}", str(number)).replace("{reason}", error.user_message)
            again = ((self.tr("Try again"), self._on_draw_again),)
            self.banner.say("warning", words.replace("{hint}", error.hint).strip(), again)

    @Slot()
    def _on_draw_again(self) -> None:
        self.banner.hide()
        self.images.retry()

    @Slot(object)
    def _on_text_failed(self, error: AppError) -> None:
        self.banner.say_error(error, ((self.tr("Try again"), self._on_load_again),))

    @Slot()
    def _on_load_again(self) -> None:
        self.banner.hide()
        if self.reader.info is not None:
            self._show_info(self.reader.info, as_text=self._view is self.text)

    @Slot()
    def _on_connected(self) -> None:
        if self._document_id is not None and self.reader.info is None:
            self._reopen()
        elif self._document_id is not None:
            self.images.retry()

    @Slot(object)
    def _on_worker_changed(self, event: WorkerChanged) -> None:
        if event.kind == "render" and event.state == "ready" and self.images.has_failures:
            self._on_draw_again()

    @Slot(int, int)
    def _on_part_changed(self, part: int, n_parts: int) -> None:
        if n_parts < 2:
            return
        words = self.tr("This text is very long; part {n} of {total} is shown.")
        steps = []
        if part > 1:
            steps.append((self.tr("Previous part"), self._on_previous_part))
        if part < n_parts:
            steps.append((self.tr("Next part"), self._on_next_part))
        self.banner.say("info", words.replace("{n}", str(part)).replace("{total}", str(n_parts)), steps)

    @Slot()
    def _on_previous_part(self) -> None:
        self.text.show_part(self.text.part - 1)

    @Slot()
    def _on_next_part(self) -> None:
        self.text.show_part(self.text.part + 1)

    # --- other wishes

    def read_selection(self) -> bool:
        """Ask for the chosen words to be read aloud; False where none are."""
        chosen = self._view.chosen
        if chosen is not None:
            self._chosen_words.read_aloud(chosen)
        return chosen is not None

    @Slot()
    def _on_external_requested(self) -> None:
        info = self.reader.info
        if info is not None and not self._opener.open_file(info.path):
            words = self.tr("{path} could not be opened. It may have been moved, or no program opens it.")
            self.banner.say("error", words.replace("{path}", info.path))

    @Slot()
    def open_search(self) -> None:
        """Open the find bar, if a document is open."""
        if self.reader.info is not None:
            self.find_bar.open()

    def step_match(self, direction: int) -> None:
        """Look at the next (1) or the previous (-1) match."""
        self.search.step(direction)

    def toggle_sound(self) -> None:
        """Play or pause the recording that is open, if one is."""
        self.recording.toggle()

    @Slot()
    def _on_find_closed(self) -> None:
        self._view.setFocus()

    # --- putting together

    def _set_controls_visible(self, visible: bool) -> None:
        self.toolbar.setVisible(visible)
        self._line.setVisible(visible)
        self.citation_bar.setVisible(visible and bool(self._citations))
        if not visible:
            self.recording.bar.hide()
            self.banner.hide()
            self.find_bar.hide()

    def _lay_out(self) -> None:
        set_role(self, "surface")
        self._line = QFrame(self)
        self._line.setFixedHeight(1)
        set_role(self._line, "line")
        self._stack = QStackedWidget(self)
        for view in (self.card, self.pages, self.text):
            self._stack.addWidget(view)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        for widget in (self.toolbar, self.citation_bar, self.find_bar, self.banner, self._line):
            rows.addWidget(widget)
        rows.addWidget(self._stack, 1)
        rows.addWidget(self.recording.bar)

    def _connect(self) -> None:
        self._opening_timer.timeout.connect(self._on_opening_timer_timeout)
        reader, images, toolbar = self.reader, self.images, self.toolbar
        reader.opened.connect(self._on_opened)
        reader.open_failed.connect(self._on_open_failed)
        reader.page_text_ready.connect(self._describe_page)
        reader.text_failed.connect(self._on_text_failed)
        images.page_failed.connect(self._on_page_failed)
        images.source_lost.connect(self._on_source_lost)
        toolbar.page_requested.connect(self._on_page_requested)
        toolbar.page_step_requested.connect(self.step_page)
        toolbar.zoom_requested.connect(self._on_zoom_requested)
        toolbar.zoom_step_requested.connect(self.step_zoom)
        toolbar.fit_requested.connect(self.set_fit)
        toolbar.find_requested.connect(self.open_search)
        toolbar.text_requested.connect(self._on_text_requested)
        toolbar.external_requested.connect(self._on_external_requested)
        toolbar.close_requested.connect(self.close_document)
        self.citation_bar.step_requested.connect(self.step_citation)
        self.find_bar.closed.connect(self._on_find_closed)
        self.recording.failed.connect(self._on_sound_failed)
        self.pages.copy_requested.connect(self._chosen_words.copy)
        self._chosen_words.reading_requested.connect(self.reading_requested)
        self.text.load_failed.connect(self._on_text_failed)
        self.text.part_changed.connect(self._on_part_changed)
        for view in (self.pages, self.text):
            view.current_page_changed.connect(self._on_current_page_changed)
            view.zoom_changed.connect(self._on_zoom_changed)
            view.reading_requested.connect(self._chosen_words.read_aloud)
        self._session.connected.connect(self._on_connected)
        self._session.worker_changed.connect(self._on_worker_changed)
