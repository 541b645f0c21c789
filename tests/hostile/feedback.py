"""Text that could do something where it is shown: in feedback and in formgrader."""

from __future__ import annotations

from hostile.cases import FIRST, WRONG, Work, case

BOTH = "\n\n".join(WRONG.values())

HTML = [
    "<script>document.title = 'pwned'</script>",
    "<img src=x onerror=\"document.title = 'pwned'\">",
    "<svg/onload=\"document.title = 'pwned'\">",
    "</pre></div><script>document.title = 'pwned'</script>",
    "<a href=\"javascript:document.title = 'pwned'\">pwned</a>",
    "<iframe srcdoc=\"<script>parent.document.title = 'pwned'</script>\"></iframe>",
    "<style>body { display: none } /* pwned */</style>",
    "<form action=https://pwned.example><input autofocus onfocus=\"document.title = 'pwned'\"></form>",
    "<meta http-equiv=refresh content='0; url=https://pwned.example'>",
]
MARKDOWN = [
    *HTML,
    "[pwned](javascript:document.title='pwned')",
    "[pwned](java\tscript:document.title='pwned')",
    "[pwned](&#106;avascript:document.title='pwned')",
    "[pwned](javascript\\:document.title='pwned')",
    "[pwned](javascript&colon;document.title='pwned')",
    "[pwned](<java\nscript:document.title='pwned'>)",
    "[pwned](<\x01 javascript:document.title='pwned'>)",
    "![pwned](javascript:document.title='pwned')",
    "[pwned](data:text/html;base64,PHNjcmlwdD5wd25lZDwvc2NyaXB0Pg==)",
    "[pwned][ref]\n\n[ref]: javascript:document.title='pwned'",
    "![pwned](x\"onerror=\"document.title='pwned')",
    "![pwned\" onerror=\"document.title='pwned'](x)",
    "# pwned\" onclick=\"document.title='pwned'",
    "```pwned\" onclick=\"document.title='pwned'\nx\n```",
    "<https://pwned.example/\"onclick=\"document.title='pwned'>",
    "<javascript:document.title='pwned'>",
    "< script>document.title = 'pwned'< /script>",
    "&lt;script&gt;document.title = 'pwned'&lt;/script&gt;",
    "\\<script>document.title = 'pwned'</script>",
    "$<script>document.title = 'pwned'</script>$",
    "$$\\href{javascript:document.title='pwned'}{pwned}$$",
    "| a |\n|--|\n| <img src=x onerror=\"document.title='pwned'\"> |",
    "[^1]\n\n[^1]: <script>document.title = 'pwned'</script>",
    "<!-- --><script>document.title = 'pwned'</script>",
    "<\u0000script>document.title = 'pwned'</script>",
    "<scr\u0000ipt>document.title = 'pwned'</scr\u0000ipt>",
    "\u202e<script>document.title = 'pwned'</script>",
    "![pwned](attachment:nothing.png)",
]


@case(31, verdict="ok")
def html_in_output(work: Work) -> None:
    """A right answer that prints and displays HTML with scripts in it."""
    shown = [f"print({text!r})\ndisplay(HTML({text!r}))" for text in HTML]
    start = "from IPython.display import HTML, Javascript, display"
    work.right(after="\n".join([start, *shown, f"display(Javascript({HTML[0]!r}))"]))


@case(31, verdict="ok")
def html_in_markdown(work: Work) -> None:
    """A right answer with scripts in markdown cells, in every form that Markdown has for them."""
    work.right()
    for text in MARKDOWN:
        work.insert(text, before=FIRST, cell_type="markdown")


@case(31, verdict="ok")
def html_in_code(work: Work) -> None:
    """A right answer with scripts in comments, strings and saved outputs of code cells."""
    work.right()
    for text in HTML:
        work.insert(f"# {text}\n{text!r}", before=FIRST)
    outputs = [{"output_type": "display_data", "metadata": {}, "data": {"text/html": text}} for text in HTML]
    work.cell(FIRST)["outputs"] = outputs


@case(31, verdict="crashed")
def html_in_exception(work: Work) -> None:
    """Raises exceptions whose names and messages are HTML with scripts in it."""
    name = "type('<script>document.title = 1; pwned</script>', (ValueError,), {})"
    work.code(BOTH.replace("return np", f"raise {name}({' '.join(HTML)!r})\n    return np"))


@case(31, verdict="wrong type")
def html_in_type_name(work: Work) -> None:
    """Returns an object whose type has HTML with scripts for a name."""
    work.code(BOTH.replace("return np", f"return type({HTML[0]!r}, (), {{}})()\n    return np"))


@case(31, 28, verdict="ok")
def html_in_grade_ids(work: Work) -> None:
    """A right answer with HTML in grade ids, cell ids, tags and attachments."""
    work.right()
    cell = work.insert("![x](attachment:x.png)", before=FIRST, cell_type="markdown")
    cell["metadata"] = {"nbgrader": {"grade_id": HTML[0], "locked": True, "solution": False, "grade": False}}
    cell["metadata"] |= {"tags": [HTML[0]], "name": HTML[0]}
    cell["id"] = HTML[1]
    cell["attachments"] = {
        "x.png": {"image/png": f'"><{HTML[0]}', "image/svg+xml": HTML[2], "text/html": HTML[0]}
    }


@case(32, verdict="ok")
def control_characters(work: Work) -> None:
    """A right answer that prints escape sequences, carriage returns, backspaces, bidirectional overrides."""
    work.right(
        after=r"""
        print("\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[1;1H \x9b31m \x1bP$q\x1b\\ \x00 \x08\x08 \x7f")
        print("100 of 20 points\r  0 of 20 points")
        print("\u202egnp.exe\u202c \u2066hidden\u2069")
        """
    )


@case(32, verdict="crashed")
def control_characters_in_exception(work: Work) -> None:
    """Raises an exception with escape sequences and a lone surrogate in its message."""
    work.code(
        BOTH.replace(
            "return np", r"raise ValueError('\ud800 \x1b[2J\x1b]0;title\x07 \x00 \u202e')" + "\n    return np"
        )
    )


@case(47, verdict="ok", stock="it would take minutes")
def slow_markdown(work: Work) -> None:
    """A right answer with markdown on which parsers take a time that grows with the square of its length."""
    work.right()
    for text in ("[", "*a **a ", "` `` ", "> ", "$", "![", "[a](", "_a_ __b ", "\\begin{a} ", "&"):
        work.insert(text * (390_000 // len(text)), before=FIRST, cell_type="markdown")
    for _ in range(5):
        work.insert("\\begin{a} " * 39_000, before=FIRST, cell_type="markdown")


@case(47, verdict="ok", stock="it would take minutes")
def slow_code(work: Work) -> None:
    """A right answer with code on which syntax highlighters take long."""
    work.right()
    for text in ("a.", "(", "?a", "\\", "'", "f'{"):
        work.insert("%%html\n" + text * (390_000 // len(text)), before=FIRST)
