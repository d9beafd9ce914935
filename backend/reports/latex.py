r"""A report as LaTeX that compiles with booktabs alone; `\measured` keeps each number's source."""

import re

from backend.reports.document import Bullets, Paragraph, Report, Table
from backend.reports.figures import Figure, Text

PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{booktabs}
\usepackage{tabularx}
% A measured number and where it came from; redefine to print the source.
\providecommand{\measured}[2]{#1}
\begin{document}
"""
SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MIDDLE DOT}": r"$\cdot$",
}
ANY_SPECIAL = re.compile("|".join(re.escape(character) for character in SPECIAL))


def latex(report: Report) -> str:
    """A document that stands alone."""
    return f"{PREAMBLE}\n{body(report)}\n\\end{{document}}\n"


def body(report: Report) -> str:
    """Sections only, to be `\\input` into a paper that loads booktabs and tabularx."""
    parts = [f"\\section*{{{escape(report.title)}}}"]
    for section in report.sections:
        command = "subsection" if section.level == 2 else "subsubsection"
        parts.append(f"\\{command}*{{{escape(section.title)}}}")
        parts.extend(_block(block) for block in section.blocks)
    return "\n\n".join(parts)


def escape(text: str) -> str:
    """Text as LaTeX prints it; characters outside what T1 prints become a question mark."""
    escaped = ANY_SPECIAL.sub(lambda match: SPECIAL[match.group()], text)
    return escaped.encode("latin-1", "replace").decode("latin-1")


def _block(block: Paragraph | Bullets | Table) -> str:
    if isinstance(block, Paragraph):
        return _text(block.text)
    if isinstance(block, Bullets):
        items = "\n".join(f"\\item {_text(item)}" for item in block.items)
        return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"
    return _table(block)


def _table(table: Table) -> str:
    # The last column holds sentences where there are any: it takes the room that is left.
    columns = "l" * (len(table.headers) - 1) + "X"
    rows = "\n".join(f"{' & '.join(_cell(cell) for cell in row)} \\\\" for row in table.rows)
    head = " & ".join(escape(header) for header in table.headers)
    return (
        f"\\begin{{table}}[ht]\n\\caption{{{escape(table.caption)}}}\n\\small\n"
        f"\\begin{{tabularx}}{{\\linewidth}}{{{columns}}}\n\\toprule\n{head} \\\\\n\\midrule\n"
        f"{rows}\n\\bottomrule\n\\end{{tabularx}}\n\\end{{table}}"
    )


def _cell(cell: str | Figure | Text) -> str:
    return _text(cell if isinstance(cell, tuple) else (cell,))


def _text(text: Text) -> str:
    return "".join(
        f"\\measured{{{escape(part.shown)}}}{{{escape(str(part.source))}}}"
        if isinstance(part, Figure)
        else escape(part)
        for part in text
    )
