"""nbgrader's configuration: the course, and our examiner behind nbgrader's own commands.

It is read by every nbgrader command that is started in this folder, and by nbgrader's pages in JupyterLab.
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821 - traitlets gives this name to a configuration file

c.CourseDirectory.course_id = "four_rounds"
c.CourseDirectory.root = str(Path(__file__).resolve().parent)

# A class on several machines shares a PostgreSQL database; without the variable it is gradebook.db here.
if os.environ.get("FOURROUNDS_DB_URL"):
    c.CourseDirectory.db_url = os.environ["FOURROUNDS_DB_URL"]

try:
    from fourrounds.examiner.plugins import configure
except ImportError as error:
    # Reading pages works without the grading extra. Grading must not fall back to stock nbgrader, which lets
    # an answer write its own score: this name cannot be imported, so nbgrader refuses to autograde.
    print(
        f"Grading is off here ({error}): use the nbgrader of the environment that make env makes.",
        file=sys.stderr,
    )
    c.Autograde.exporter_class = "fourrounds.examiner.plugins.configure"
else:
    configure(c)
