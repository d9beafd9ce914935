"""A report as one HTML page: hovering a figure shows where it came from."""

import re
from collections.abc import Callable
from html import escape

from backend.reports.document import Block, Bullets, Paragraph, Picture, Report
from backend.reports.figures import Figure, Text

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}caption{text-align:left;font-weight:600}"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}"
    ".number{text-align:right}figure{margin:1rem 0}figure img{max-width:100%;background:#fff}figcaption{font-size:.85rem}"
    ".table-card{overflow-x:auto}"
    ".figure{border-bottom:1px dotted;font-variant-numeric:tabular-nums;cursor:help}"
)


NUMBER = re.compile(r"[-\N{MINUS SIGN}+]?[\d,]*\.?\d+(e[-+]?\d+)?( %)?|[-\N{EN DASH}]")
Locate = Callable[[str], str]


def page(report: Report, locate: Locate) -> str:
    """A page that stands alone; `locate` gives a picture's address by its name."""
    title = escape(report.title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{fragment(report, locate)}\n</body></html>\n"
    )


def fragment(report: Report, locate: Locate, level: int = 1) -> str:
    """The report's content; its title is a heading of `level`: 2 on a page that has a title of its own."""
    parts = [f"<h{level}>{escape(report.title)}</h{level}>"]
    for section in report.sections:
        heading = f"h{section.level + level - 1}"
        parts.append(f"<{heading}>{escape(section.title)}</{heading}>")
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
    numeric = [all(map(_is_number, column)) for column in zip(*block.rows, strict=True)]
    looks = [' class="number"' if yes else "" for yes in numeric] or [""] * len(block.headers)
    head = "".join(
        f'<th scope="col"{look}>{escape(header)}</th>'
        for header, look in zip(block.headers, looks, strict=True)
    )
    rows = "".join(
        f"<tr>{''.join(f'<td{look}>{_cell(cell)}</td>' for cell, look in zip(row, looks, strict=True))}</tr>\n"
        for row in block.rows
    )
    caption = f"<caption>{escape(block.caption)}</caption>"
    return f'<div class="table-card"><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>'


def _is_number(cell: str | Figure | Text) -> bool:
    """A figure, a plain number, or the dash that stands for none."""
    if isinstance(cell, str):
        return NUMBER.fullmatch(cell) is not None
    return isinstance(cell, Figure) or (len(cell) == 1 and _is_number(cell[0]))


def _cell(cell: str | Figure | Text) -> str:
    return _text(cell if isinstance(cell, tuple) else (cell,))


def _text(text: Text) -> str:
    return "".join(
        f'<span class="figure" title="{escape(str(part.source))}">{escape(part.shown)}</span>'
        if isinstance(part, Figure)
        else escape(part)
        for part in text
    )
