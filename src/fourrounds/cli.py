"""The command ``fourrounds``.

Every command imports what it needs when it runs, so that each starts fast and works where another's packages
are missing. The exit status is 0 when the command did its work (a low score is a verdict, not an error), 1
when what it checks does not hold, and 2 when it could not be done: then stderr says why, and what to do.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from fourrounds.desk.examine import Graded, Work
    from fourrounds.examiner.layout import Layout
    from fourrounds.examiner.problem import Problem

MAX_SEED = 2**63 - 1
PIPE_WIDTH = 120
_SIGNS = {"good": ("✓", "green"), "weak": ("!", "yellow"), "missing": ("✗", "red")}

app = typer.Typer(
    name="fourrounds",
    help="Prepare for the four rounds of the AI Research Engineer interview.",
    epilog="Begin with `fourrounds list`. `fourrounds COMMAND --help` explains one command.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # messages are plain sentences, in a terminal as in a log
)

bank = typer.Typer(
    help="The run bank: real training runs, for the experiments of rounds 2 and 3.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(bank, name="bank")

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The problem, as `fourrounds list` names it.")]
User = Annotated[
    str | None,
    typer.Option(
        "--user", metavar="NAME", help="Whose folder in submitted/ (else FOURROUNDS_USER, else your login)."
    ),
]
Notebook = Annotated[
    Path | None,
    typer.Option("--notebook", metavar="PATH", help="A notebook somewhere else than in submitted/."),
]
Answers = Annotated[
    Path | None,
    typer.Option("--answers", metavar="FILE.py", help="A Python file that defines the functions."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]


@app.callback(invoke_without_command=True)
def _about(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(version_of("fourrounds"))
        raise typer.Exit


@app.command("list")
def list_(as_json: Json = False, user: User = None) -> None:
    """Show the problems of every round and your state."""
    from fourrounds.desk.catalogue import catalogue, json_rows, rich_table

    rows = catalogue(_layout(), user)
    if as_json:
        print(json.dumps(json_rows(rows)))
    else:
        _stdout().print(rich_table(rows))


@app.command("next")
def next_(as_json: Json = False, user: User = None) -> None:
    """Say what to do today: at most five things, each with why."""
    from fourrounds.desk import today

    tasks = today.today(_layout(), user)
    if as_json:
        print(json.dumps(today.json_rows(tasks)))
    else:
        _stdout().print(today.rich_table(tasks))


@app.command()
def progress(as_json: Json = False, user: User = None) -> None:
    """Show your goals, what you passed, how ready you are, how well you guess, and your times."""
    from fourrounds.desk.progress_page import json_object, of_learner, rich_parts

    found = of_learner(_layout(), user)
    if as_json:
        print(json.dumps(json_object(found)))
    else:
        _stdout().print(*rich_parts(found), sep="\n")


@app.command()
def plan(
    weeks: Annotated[int, typer.Option("--weeks", min=1, max=52, help="For how many weeks.")] = 8,
    hours: Annotated[
        float | None,
        typer.Option(
            "--hours-per-week",
            metavar="H",
            min=0.5,
            max=168,
            help="The hours of a week (else as many as the goals take).",
        ),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Also write it as a list to tick off.")
    ] = None,
    as_json: Json = False,
    user: User = None,
) -> None:
    """Write a schedule over all rounds towards the goals.

    It takes into account what you have done. New problems, retries, the guide and mock interviews share the
    hours; where the goals cannot be met, it says what it would take.
    """
    from fourrounds.desk import plan_text as shown
    from fourrounds.desk.planning import for_learner, json_object

    found = for_learner(_layout(), user, weeks=weeks, hours=hours)
    if markdown is not None:
        markdown.write_text(shown.markdown(found), encoding="utf-8")
    if as_json:
        print(json.dumps(json_object(found)))
        return
    _stdout().print(shown.rich_table(found))
    _print(*shown.after(found), *([f"Wrote {markdown}"] if markdown else []))


@app.command()
def mock(
    number: Annotated[
        int | None, typer.Argument(metavar="[N]", min=1, help="With --scorecard: that of mock interview N.")
    ] = None,
    card: Annotated[
        bool, typer.Option("--scorecard", help="Show how the last one went, or the N-th.")
    ] = False,
    new: Annotated[bool, typer.Option("--new", help="Begin another one, after one that is over.")] = False,
    abandon: Annotated[
        bool,
        typer.Option("--abandon", help="End it here; you are asked once more. What was handed in is kept."),
    ] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=MAX_SEED, help="Deal a new one from this seed.")
    ] = None,
    as_json: Json = False,
    user: User = None,
) -> None:
    """Begin a mock interview, or go on with it.

    It deals a problem of each round, with the rounds' clocks and breaks between them. Only the provided tests
    run during it; everything is graded at the end. It says where you are and what to open, and after the last
    round how it went.
    """
    from fourrounds.desk import mock_command
    from fourrounds.desk.work import user_name

    layout, name = _layout(), user_name(user)
    if number is not None and not card:
        raise typer.BadParameter("a number belongs to --scorecard")
    if abandon:
        mock_command.abandon(layout, name, input)
    elif (new or seed is not None) and not card:
        mock_command.begin(layout, name, seed)
    told = mock_command.scorecard(layout, name, number) if card else mock_command.go_on(layout, name)
    if as_json:
        print(json.dumps(told.json))
    else:
        _print(*told.lines)


@app.command()
def start(
    slug: Slug,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Put your present notebook into the archive and begin with a fresh one."
        ),
    ] = False,
    user: User = None,
) -> None:
    """Make your copy of a problem; never overwrites work."""
    from fourrounds.desk import work
    from fourrounds.desk.mocks import refuse_in_mock

    layout = _layout()
    problem = layout.problem(slug)
    refuse_in_mock(layout, work.user_name(user), problem)
    started = work.start(layout, problem, work.user_name(user), again=again)
    _print(*work.told(started, problem))


@app.command()
def grade(
    slug: Slug,
    notebook: Notebook = None,
    answers: Answers = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, max=MAX_SEED, help="Draw the inputs from this seed, not a fresh one."),
    ] = None,
    as_json: Json = False,
    user: User = None,
    as_page: Annotated[bool, typer.Option("--page", hidden=True)] = False,
) -> None:
    """Grade your work with the hidden tests.

    It runs in a sandbox, and the attempt is kept. The verdicts come by group. A low score is not an error:
    the exit status is 0 whenever there is a verdict.
    """
    from fourrounds.desk import report as shown

    layout = _layout()
    problem, work, name = _find(layout, slug, notebook, answers, user)
    graded = _examine(layout, problem, work, name, seed)
    report = shown.with_reviews(graded.report.to_dict(), graded.reviews)
    if graded.unrecorded:
        print(f"This attempt could not be kept. {graded.unrecorded}", file=sys.stderr)
    if as_json:
        print(shown.dump(report))
        return
    steps = shown.advice(report, path=str(work.path), debrief=_debrief(layout, problem), again=work.option)
    if as_page:  # for desk.grade in a notebook, which shows more than --json gives
        print(json.dumps({"report": report, "next": steps}))
    else:
        _stdout().print(shown.rich_table(report))
        _print(*shown.details(report), *shown.lines(report, steps))


@app.command(hidden=True)
def graded(
    number: Annotated[int, typer.Argument(metavar="N", help="The number under which it was kept.")],
) -> None:
    """Grade what was handed in under a number, unless that is done."""
    from fourrounds.desk import handing_in
    from fourrounds.desk.waiting import Waiting

    layout = _layout()
    with Waiting(f"grading number {number}") as waiting:
        handing_in.grade(layout, number, lambda text: waiting.say(f"grading: {text}"))


@app.command()
def review(
    slug: Slug,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", metavar="N", help="Your N-th graded attempt at it, not the last one."),
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            "--answers",
            metavar="[CELL=]ynyyn",
            help="Record these without asking: a letter for each question, once for each written cell.",
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Only print the questions and the samples; judge nothing.")
    ] = False,
    user: User = None,
) -> None:
    """Judge what you wrote, by the questions an interviewer would ask.

    It shows what you wrote in the last graded attempt, takes your yes or no to each question, then shows a
    weak and a strong sample answer with commentary, and lets you change your mind. The points are kept with
    the attempt, marked as self-reviewed. Repeating it replaces them.
    """
    from fourrounds.desk import review_text as shown
    from fourrounds.desk import reviewing, store
    from fourrounds.desk.attempts import Attempts
    from fourrounds.desk.work import user_name

    layout = _layout()
    problem = layout.problem(slug)
    if show:
        for part in reviewing.samples_only(problem):
            _print(shown.title(part), *shown.rubric(part), *shown.samples(part))
        return
    attempts = Attempts(store.of(layout))
    found = reviewing.begin(attempts, problem, user_name(user), attempt)
    if answers:
        given = reviewing.read_answers(reviewing.by_name(answers), found)
        _print(*shown.told(reviewing.judge(attempts, found, given), given))
    else:
        shown.converse(found, attempts, input, _print)


@app.command()
def replay(
    slug: Slug,
    seed: Annotated[int, typer.Option("--seed", min=0, max=MAX_SEED, help="The seed that the report names.")],
    group: Annotated[
        str | None, typer.Option("--group", help="Only this group (else every group that fails).")
    ] = None,
    notebook: Notebook = None,
    answers: Answers = None,
    user: User = None,
) -> None:
    """Hand over the input that failed.

    The tests run again with the given seed. The input is saved as a file, and a few lines of Python that you
    can paste into your notebook load it.
    """
    from fourrounds.desk import replay as replays
    from fourrounds.desk.errors import DeskError

    layout = _layout()
    problem, work, name = _find(layout, slug, notebook, answers, user)
    known = problem.groups
    if group is not None and group not in known:
        raise DeskError(f"{slug} has no group {group!r}. Its groups are {', '.join(known)}.")
    graded = _examine(layout, problem, work, name, seed, keep_calls=True)
    console = _stdout()
    for part in replays.told(graded.report, problem, group, layout.state / "replays"):
        if isinstance(part, str):
            _print(part)
        else:
            console.print(part)


@app.command()
def doctor() -> None:
    """Say what this machine lacks, and what to do.

    The exit status is 1 if something is missing that you need to work or grade here.
    """
    from rich.table import Table
    from rich.text import Text

    from fourrounds.desk.doctor import State, look
    from fourrounds.desk.waiting import Waiting
    from fourrounds.examiner.layout import LayoutError

    layout, why = None, ""
    try:
        layout = _layout()
    except LayoutError as error:
        why = str(error)
    with Waiting("looking at this machine"):
        findings = list(look(layout, why))
    table = Table()
    for column in ("What", "State", "Found", "Do this"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        sign, style = _SIGNS[finding.state.value]
        state = Text(f"{sign} {finding.state.value}", style)
        table.add_row(Text(finding.what), state, Text(finding.found), Text(finding.do))
    _stdout().print(table)
    if any(finding.state is State.MISSING for finding in findings):
        _print("Something that you need is missing: see the lines marked ✗.")
        raise typer.Exit(1)
    weak = any(finding.state is State.WEAK for finding in findings)
    _print("You can work and grade here." + (" What is marked ! could be better." if weak else ""))


@app.command()
def study(
    port: Annotated[
        int | None, typer.Option("--port", envvar="PORT", min=1, max=65535, help="Serve on this port.")
    ] = None,
    no_browser: Annotated[
        bool,
        typer.Option("--no-browser", help="Open no browser; the address is printed (also: NO_BROWSER=1)."),
    ] = False,
) -> None:
    """Serve JupyterLab at the start page."""
    from fourrounds.desk.apart import leave_to_itself
    from fourrounds.desk.handing_in import left_over
    from fourrounds.desk.study import study as serve
    from fourrounds.desk.work import user_name

    layout = _layout()
    for one in left_over(layout, user_name()):
        _print(f"Grading {one.problem}, which you handed in before and nobody finished.")
        leave_to_itself(layout, ["graded", str(one.id)])
    quiet = no_browser or os.environ.get("NO_BROWSER", "") not in ("", "0")
    raise typer.Exit(serve(layout.root, port=port, browser=not quiet))


@app.command()
def build(
    slugs: Annotated[
        list[str] | None, typer.Argument(metavar="[SLUG]...", help="Only these problems.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit with 1 and say what is stale, if anything is."),
    ] = False,
) -> None:
    """Bring release/ and solutions/ up to date."""
    from fourrounds.desk.waiting import Waiting

    layout = _layout()
    with Waiting("checking release/ and solutions/" if check else "building release/ and solutions/"):
        from fourrounds.course.build import build as make

        result = make(layout.root, check=check, slugs=slugs, say=_print)
    if check and result.stale:
        _print(*result.stale, "`fourrounds build` brings this up to date.")
        raise typer.Exit(1)
    if not result.written:
        _print("Everything is up to date.")


@app.command()
def prove(
    slug: Slug,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=1000, help="With how many seeds.")] = 3,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, max=MAX_SEED, help="Only with this one (else 1, 2, 3 and so on)."),
    ] = None,
) -> None:
    """Prove that a problem's tests tell right from wrong.

    Every fault loses the points of its group, and every right answer gets full marks. Prints the matrix of
    faults and groups. The exit status is 1 if the proof fails.
    """
    from fourrounds.desk.waiting import Waiting

    problem = _layout().problem(slug)
    chosen = range(1, seeds + 1) if seed is None else (seed,)
    with Waiting(f"proving {slug}") as waiting:
        from fourrounds.course.prove import prove as run
        from fourrounds.examiner.grading import Examiner

        with Examiner() as examiner:
            proof = run(
                problem,
                examiner,
                chosen,
                lambda done, most, what: waiting.say(f"proving {slug}: {done} of {most} graded, {what}"),
            )
    _stdout().print(proof)
    if not proof.ok:
        raise typer.Exit(1)
    _print(f"{slug} holds, with {len(chosen)} seed{'' if len(chosen) == 1 else 's'}.")


@app.command()
def kills(
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, max=1000, help="With how many seeds (else with 20).")
    ] = None,
) -> None:
    """Prove every problem with many seeds, and write the table to docs/kills.md.

    What is there already, and still holds, is not proved again; a run that was stopped goes on.
    """
    from fourrounds.desk.waiting import Waiting

    layout = _layout()
    with Waiting("proving") as waiting:
        from fourrounds.course.kills import PAGE, SEEDS
        from fourrounds.course.kills import kills as run

        proved = run(
            layout.root,
            layout.problems(),
            seeds=seeds or SEEDS,
            say=lambda text: waiting.say(f"proving {text}"),
        )
    _print(f"{PAGE} is up to date; proved anew: {', '.join(proved) or 'nothing'}.")


@app.command()
def new(
    slug: Annotated[
        str, typer.Argument(metavar="SLUG", help="Its name: small letters, digits, underscores.")
    ],
    assignment: Annotated[
        str, typer.Option("--assignment", metavar="A", help="The round it belongs to, a folder of source/.")
    ] = "round1_implement",
) -> None:
    """Start a new problem, as its author.

    Writes a small one that is complete, to replace piece by piece.
    """
    from fourrounds.course.new import new as make

    path = make(_layout().root, slug, assignment)
    _print(
        f"Wrote {path}",
        f"When you have changed it: `fourrounds prove {slug}`, then `fourrounds build {slug}`.",
    )


Families = Annotated[
    list[str] | None, typer.Argument(metavar="[FAMILY]...", help="Which families (else all of them).")
]


@bank.command("train")
def bank_train(
    families: Families = None,
    work: Annotated[
        Path, typer.Option("--work", metavar="DIR", help="Where the batches that are done are kept.")
    ] = Path(".fourrounds/bank"),
    threads: Annotated[
        int, typer.Option("--threads", min=0, help="PyTorch's threads (0: its own choice).")
    ] = 0,
) -> None:
    """Train the runs of the bank anew and write them into the package.

    It goes on where it was stopped.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from fourrounds.runbank.training.rebuild import chosen, rebuild, set_threads

    set_threads(threads)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        for family in chosen(families or ()):
            task = bar.add_task(family.name, total=len(list(family.runs())))
            paths = rebuild(family, work, lambda done, task=task: bar.update(task, completed=done))  # type: ignore[misc]
            bar.console.print(f"wrote {', '.join(path.name for path in paths)}", highlight=False)
    _print("The bank is written. Next: `fourrounds bank report`.")


@bank.command("check")
def bank_check(
    families: Families = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="How many runs of each family.")] = 25,
    seed: Annotated[int, typer.Option("--seed", help="Which runs are drawn.")] = 0,
) -> None:
    """Train a random sample of runs again and compare them with the bank.

    Exits with 1 if a family does not agree.
    """
    from fourrounds.desk.waiting import Waiting
    from fourrounds.runbank.training.rebuild import check, chosen

    agreed = True
    with Waiting("training") as waiting:
        for family in chosen(families or ()):
            waiting.say(f"training {runs} runs of {family.name}")
            found = check(family, runs, seed)
            agreed &= found.agrees
            _print(found.told())
    if not agreed:
        raise typer.Exit(1)


@bank.command("report")
def bank_report() -> None:
    """Write docs/runbank.md with its pictures: what is in the bank, and what is true in it."""
    from fourrounds.desk.waiting import Waiting
    from fourrounds.runbank.report import write

    with Waiting("reading the bank"):
        path = write(_layout().root)
    _print(f"Wrote {path}")


def _layout() -> Layout:
    from fourrounds.examiner.layout import Layout, find_root

    return Layout(find_root())


def _find(
    layout: Layout, slug: str, notebook: Path | None, answers: Path | None, user: str | None
) -> tuple[Problem, Work, str]:
    from fourrounds.desk.examine import find_work
    from fourrounds.desk.work import user_name

    problem = layout.problem(slug)
    name = user_name(user)
    return problem, find_work(layout, problem, name, notebook, answers), name


def _examine(
    layout: Layout, problem: Problem, work: Work, user: str, seed: int | None, keep_calls: bool = False
) -> Graded:
    """Grade under a spinner. What is run again to be looked at (``keep_calls``) is no attempt."""
    from fourrounds.desk.examine import examine
    from fourrounds.desk.waiting import Waiting

    with Waiting(f"grading {problem.slug}") as waiting:
        return examine(
            layout,
            problem,
            work,
            user,
            seed=seed,
            record=not keep_calls,
            keep_calls=keep_calls,
            say=lambda text: waiting.say(f"grading {problem.slug}: {text}"),
        )


def _debrief(layout: Layout, problem: Problem) -> str:
    return str(layout.solutions / problem.assignment / f"{problem.slug}.ipynb")


def _stdout() -> Console:
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


def _print(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


def _words(error: Exception) -> str | None:
    """What to tell about an error that can be foreseen; None for any other, which is a bug."""
    from fourrounds.course.errors import CourseError
    from fourrounds.desk.errors import DeskError
    from fourrounds.examiner.layout import LayoutError
    from fourrounds.examiner.problem import ProblemError
    from fourrounds.runbank import BankError

    if isinstance(error, (BankError, CourseError, DeskError, LayoutError, ProblemError)):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("fourrounds"):
        return f"This needs {error.name}, which is not installed here: run `make env` in the course's folder."
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        words = f"{where}{error.strerror or error}."
        return f"{words} Look at the disk's space and the permissions, then run this again."
    from fourrounds.examiner.wall import SandboxError

    if isinstance(error, SandboxError):
        return f"No sandbox can be started ({error}). `fourrounds doctor` says what to do."
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ✓ still gets its verdict
    try:
        app(args=None if arguments is None else list(arguments), prog_name="fourrounds")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        words = _words(error)
        if words is None:
            raise
        print(words, file=sys.stderr)
        return 2
    return 0
