"""Runs test cells, calls the answer across the wall, records verdicts; the nbgrader plug-ins."""
