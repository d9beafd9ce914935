"""Records: the frames event files are made of, each a length, its checksum, the data and its checksum.

TensorBoard's own reader and writer compute checksums in Python, 20 microseconds a record; these take one.
"""

import struct
from collections.abc import Iterator
from os import SEEK_END
from typing import BinaryIO

from google_crc32c import value as crc32c

LENGTH, CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
HEADER = LENGTH.size + CHECKSUM.size


class DamagedRecord(Exception):
    """A record that ends early or fails its checksum; `offset` is the byte it begins at."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"damaged record at byte {offset}")
        self.offset = offset


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """The data of every record of a file that can be sought in.

    Raises:
        DamagedRecord: after the last good one.
    """
    offset, end = 0, file.seek(0, SEEK_END)
    file.seek(0)
    while header := file.read(HEADER):
        length = header[: LENGTH.size]
        if len(header) < HEADER or header[LENGTH.size :] != _masked(length):
            raise DamagedRecord(offset)
        size = LENGTH.unpack(length)[0]
        # A length nobody could hold in memory is not asked for.
        if size > end - offset:
            raise DamagedRecord(offset)
        body = file.read(size + CHECKSUM.size)
        data = body[:size]
        if len(body) < size + CHECKSUM.size or body[size:] != _masked(data):
            raise DamagedRecord(offset)
        offset += HEADER + len(body)
        yield data


def write_record(file: BinaryIO, data: bytes) -> None:
    length = LENGTH.pack(len(data))
    file.write(b"".join([length, _masked(length), data, _masked(data)]))


def _masked(data: bytes) -> bytes:
    """The checksum as event files keep it: rotated and offset, so that it differs from that of a checksum."""
    crc = crc32c(data)
    rotated = (crc >> 15) | (crc << 17)
    return CHECKSUM.pack((rotated + 0xA282EAD8) & 0xFFFFFFFF)
