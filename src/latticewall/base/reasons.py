"""What went wrong, told to who asked for something and not to who runs the region."""

from __future__ import annotations


def reason(error: BaseException) -> str:
    """The error's words; of the operating system's without the file that they name, for where the region keeps its files is nobody else's business."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
