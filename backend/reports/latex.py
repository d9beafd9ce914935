r"""A report as LaTeX that compiles with booktabs, tabularx and graphicx; `\measured` keeps each number's source."""

import re

from backend.reports.document import Block, Bullets, Paragraph, Picture, Report, Table
from backend.reports.figures import Figure, Text

PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{booktabs}
\usepackage{tabularx}
\usepackage{graphicx}
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
SENTENCE = 30  # characters from which a cell is wrapped
ANY_SPECIAL = re.compile("|".join(re.escape(character) for character in SPECIAL))


def latex(report: Report) -> str:
    """A document that stands alone."""
    return f"{PREAMBLE}\n{body(report)}\n\\end{{document}}\n"


def body(report: Report) -> str:
    """Sections only, to be `\\input` into a paper that loads booktabs, tabularx and graphicx."""
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


def _block(block: Block) -> str:
    if isinstance(block, Picture):
        return _picture(block)
    if isinstance(block, Paragraph):
        return _text(block.text)
    if isinstance(block, Bullets):
        items = "\n".join(f"\\item {_text(item)}" for item in block.items)
        return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"
    return _table(block)


def _picture(picture: Picture) -> str:
    """Compiles without the file too, and then says which is missing."""
    file = f"{picture.name}.pdf"
    return (
        "\\begin{figure}[ht]\n\\centering\n"
        f"\\IfFileExists{{{file}}}{{\\includegraphics[width=\\linewidth]{{{file}}}}}"
        f"{{\\fbox{{{file} is not beside this document}}}}\n"
        f"\\caption{{{escape(picture.caption)}}}\n\\end{{figure}}"
    )


def _table(table: Table) -> str:
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    lines = "\n".join(f"{' & '.join(row)} \\\\" for row in rows)
    head = " & ".join(escape(header) for header in table.headers)
    begin, end = _environment(table)
    return (
        f"\\begin{{table}}[ht]\n\\caption{{{escape(table.caption)}}}\n{begin}\n\\toprule\n"
        f"{head} \\\\\n\\midrule\n{lines}\n\\bottomrule\n{end}\n\\end{{table}}"
    )


def _environment(table: Table) -> tuple[str, str]:
    """Numbers stand to the right; a last column of sentences wraps in the room that is left."""
    others = len(table.headers) - 1
    if not any(isinstance(row[-1], str) and len(row[-1]) > SENTENCE for row in table.rows):
        return f"\\small\n\\begin{{tabular}}{{l{'r' * others}}}", "\\end{tabular}"
    columns = r"p{.2\linewidth}" + "l" * (others - 1) + r">{\raggedright\arraybackslash}X"
    return (
        f"\\footnotesize\n\\begin{{tabularx}}{{\\linewidth}}{{{columns}}}",
        "\\end{tabularx}",
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
