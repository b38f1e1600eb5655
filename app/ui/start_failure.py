"""Tells why the program did not open, in a window of its own."""

from PySide6.QtWidgets import QMessageBox

from app.core.errors import AppError
from app.ui.application import create_application
from app.ui.theme import Theme


def show_failure(error: AppError) -> None:
    """Show the reason and the next step until the user has read them."""
    application = create_application()
    theme = Theme("system", application)
    theme.apply()
    box = QMessageBox()
    theme.dress(box)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("h2oGPT")
    box.setText(error.user_message)
    box.setInformativeText(error.hint)
    box.exec()
    theme.deleteLater()
