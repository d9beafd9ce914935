"""What a report is made of, before anyone decides how it looks."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from backend.reports.figures import Figure, Source, Text


@dataclass(frozen=True)
class Paragraph:
    text: Text


@dataclass(frozen=True)
class Bullets:
    items: tuple[Text, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells under headers; the caption says what the rows are."""

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str | Figure | Text, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A drawing by its name in `backend.reports.plots`; the caption says what is drawn and of what."""

    name: str
    caption: str


Block = Paragraph | Bullets | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading with blocks under it; `paper` marks text meant for a paper."""

    title: str
    blocks: tuple[Block, ...]
    level: int = 2
    paper: bool = False


@dataclass
class Report:
    """A report on one run, in reading order."""

    title: str
    sections: list[Section] = field(default_factory=list)

    def pictures(self) -> Iterator[Picture]:
        """Every drawing in reading order."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Picture))

    def figures(self) -> Iterator[Figure]:
        """Every figure in reading order."""
        for section in self.sections:
            for block in section.blocks:
                for text in texts(block):
                    yield from (part for part in text if isinstance(part, Figure))

    def sources(self) -> list[Source]:
        """Distinct sources in order of first use; a footnote's number is its place here."""
        return list(dict.fromkeys(figure.source for figure in self.figures()))


def texts(block: Block) -> Iterator[Text]:
    """Every text of a block, cells of tables included."""
    if isinstance(block, Paragraph):
        yield block.text
    elif isinstance(block, Bullets):
        yield from block.items
    elif isinstance(block, Table):
        for row in block.rows:
            yield from (cell if isinstance(cell, tuple) else (cell,) for cell in row)
