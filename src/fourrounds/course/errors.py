"""The one error of this package."""

from __future__ import annotations


class CourseError(Exception):
    """A problem cannot be made, proved or built. The message says which cell, and what to do."""
