"""A report as Markdown: each distinct source is one footnote."""

from backend.reports.document import Block, Bullets, Paragraph, Picture, Report, Table
from backend.reports.figures import Figure, Source, Text

Cell = str | Figure | Text


def markdown(report: Report) -> str:
    sources = report.sources()
    parts = [f"# {report.title}"]
    for section in report.sections:
        parts.append(f"{'#' * section.level} {section.title}")
        parts.extend(_block(block, sources) for block in section.blocks)
    parts.append("\n".join(f"[^{number}]: {source}" for number, source in enumerate(sources, 1)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block, sources: list[Source]) -> str:
    if isinstance(block, Picture):
        return f"![{block.caption}]({block.name}.png)"
    if isinstance(block, Paragraph):
        return _text(block.text, sources)
    if isinstance(block, Bullets):
        return "\n".join(f"- {_text(item, sources)}" for item in block.items)
    return _table(block, sources)


def _table(table: Table, sources: list[Source]) -> str:
    lines = [f"{table.caption}:", "", _row(table.headers), _row(["---"] * len(table.headers))]
    for row in table.rows:
        lines.append(_row([_cell(cell, sources).replace("|", "\\|") for cell in row]))
    return "\n".join(lines)


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell, sources: list[Source]) -> str:
    return _text(cell if isinstance(cell, tuple) else (cell,), sources)


def _text(text: Text, sources: list[Source]) -> str:
    return "".join(
        f"{part.shown}[^{sources.index(part.source) + 1}]" if isinstance(part, Figure) else part
        for part in text
    )
