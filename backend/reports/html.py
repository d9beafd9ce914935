"""A report as one HTML page: hovering a figure shows where it came from."""

from collections.abc import Callable
from html import escape

from backend.reports.document import Block, Bullets, Paragraph, Picture, Report
from backend.reports.figures import Figure, Text

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}caption{text-align:left;font-weight:600}"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}"
    "figure{margin:1rem 0}figure img{max-width:100%;background:#fff}figcaption{font-size:.85rem}"
    ".table-card{overflow-x:auto}"
    ".figure{border-bottom:1px dotted;font-variant-numeric:tabular-nums;cursor:help}"
)


Locate = Callable[[str], str]


def page(report: Report, locate: Locate) -> str:
    """A page that stands alone; `locate` gives a picture's address by its name."""
    title = escape(report.title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{fragment(report, locate)}\n</body></html>\n"
    )


def fragment(report: Report, locate: Locate) -> str:
    """The report's content, for a page that has a head of its own."""
    parts = [f"<h1>{escape(report.title)}</h1>"]
    for section in report.sections:
        parts.append(f"<h{section.level}>{escape(section.title)}</h{section.level}>")
        parts.extend(_block(block, locate) for block in section.blocks)
    return "\n".join(parts)


def _block(block: Block, locate: Locate) -> str:
    if isinstance(block, Picture):
        caption = escape(block.caption)
        image = f'<img src="{escape(locate(block.name))}" alt="{caption}" loading="lazy">'
        return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
    if isinstance(block, Paragraph):
        return f"<p>{_text(block.text)}</p>"
    if isinstance(block, Bullets):
        return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in block.items)}</ul>"
    head = "".join(f'<th scope="col">{escape(header)}</th>' for header in block.headers)
    rows = "".join(
        f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>\n" for row in block.rows
    )
    caption = f"<caption>{escape(block.caption)}</caption>"
    return f'<div class="table-card"><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>'


def _cell(cell: str | Figure | Text) -> str:
    return _text(cell if isinstance(cell, tuple) else (cell,))


def _text(text: Text) -> str:
    return "".join(
        f'<span class="figure" title="{escape(str(part.source))}">{escape(part.shown)}</span>'
        if isinstance(part, Figure)
        else escape(part)
        for part in text
    )
