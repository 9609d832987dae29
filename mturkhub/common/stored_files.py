"""StoredFile: uploads in 1 MB chunks in Postgres, written and read as streams, the same on every host."""

import hashlib
import io
from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import transaction

from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import StoredFile, StoredFileChunk

CHUNK_BYTES = 1024 * 1024
MAX_BYTES = 200 * 1024 * 1024


def store_file(
    team_id: int, name: str, parts: Iterable[bytes], *, lives: timedelta | None = None
) -> StoredFile:
    """A StoredFile with these bytes, for good or for so long; raises ActionRefused past 200 MB."""
    digest = hashlib.sha256()
    with transaction.atomic():
        expires_at = clock.now() + lives if lives else None
        file = StoredFile.objects.create(team_id=team_id, name=name[-255:], expires_at=expires_at)
        for number, chunk in enumerate(_in_chunks(parts)):
            file.size += len(chunk)
            if file.size > MAX_BYTES:
                raise ActionRefused(
                    f"“{name}” is larger than {MAX_BYTES // 1024 // 1024} MB. Split it into several files.",
                    status=400,
                )
            digest.update(chunk)
            StoredFileChunk.objects.create(file=file, number=number, data=chunk)
        file.sha256 = digest.hexdigest()
        file.save(update_fields=["size", "sha256"])
    return file


def delete_expired_files() -> int:
    """Delete files whose time is over; returns how many."""
    _, deleted = StoredFile.objects.filter(expires_at__lt=clock.now()).delete()
    return deleted.get(StoredFile._meta.label, 0)


def _in_chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for part in parts:
        held += part
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


def open_file(file: StoredFile) -> io.BufferedReader:
    """The file's bytes as a stream that holds one chunk at a time."""
    return io.BufferedReader(_ChunkReader(file), buffer_size=64 * 1024)


class _ChunkReader(io.RawIOBase):
    def __init__(self, file: StoredFile) -> None:
        self._file = file
        self._number = 0
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        if not self._held:
            chunk = StoredFileChunk.objects.filter(file=self._file, number=self._number).first()
            if chunk is None:
                return 0
            self._held, self._number = memoryview(bytes(chunk.data)), self._number + 1
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count
