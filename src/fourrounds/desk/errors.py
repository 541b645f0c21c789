"""The error of the desk: what a learner can put right."""


class DeskError(Exception):
    """Something that the learner can put right. The message says what to do."""

    def _render_traceback_(self) -> list[str]:
        """IPython shows this instead of a stack: the reader needs the message, not our frames."""
        return [str(self)]
