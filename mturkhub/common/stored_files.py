"""StoredFile: uploads in 1 MB chunks in Postgres, written and read as streams, the same on every host."""

import hashlib
import io
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.db import connection, transaction
from django.http import HttpRequest

from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import StoredFile, StoredFileChunk

CHUNK_BYTES = 1024 * 1024
MAX_BYTES = 200 * 1024 * 1024
# What a browser sends around a file: the other fields of the form and the boundaries.
FORM_BYTES = 10 * 1024 * 1024
# A file nobody has taken yet: its upload broke off, or the form came back with a fault.
ARRIVING_LIVES = timedelta(hours=1)


# Writing ------------------------------------------------------------------------------------------


def store_file(
    team_id: int, name: str, parts: Iterable[bytes], *, lives: timedelta | None = None
) -> StoredFile:
    """A StoredFile with these bytes, for good or for so long; raises ActionRefused past 200 MB."""
    with transaction.atomic():
        writer = _Writer(team_id, name, lives)
        for part in parts:
            writer.write(part)
        return writer.finish()


class _Writer:
    """A StoredFile that is being written, a chunk at a time."""

    def __init__(self, team_id: int, name: str, lives: timedelta | None) -> None:
        expires_at = clock.now() + lives if lives else None
        self.file = StoredFile.objects.create(team_id=team_id, name=name[-255:], expires_at=expires_at)
        self._digest = hashlib.sha256()
        self._held = bytearray()
        self._chunks = 0

    def write(self, part: bytes) -> None:
        self._held += part
        while len(self._held) >= CHUNK_BYTES:
            self._store(bytes(self._held[:CHUNK_BYTES]))
            del self._held[:CHUNK_BYTES]

    def finish(self) -> StoredFile:
        if self._held:
            self._store(bytes(self._held))
        self.file.sha256 = self._digest.hexdigest()
        self.file.save(update_fields=["size", "sha256"])
        return self.file

    def _store(self, chunk: bytes) -> None:
        self.file.size += len(chunk)
        if self.file.size > MAX_BYTES:
            raise ActionRefused(_too_large(f"“{self.file.name}”"), status=400)
        self._digest.update(chunk)
        StoredFileChunk.objects.create(file=self.file, number=self._chunks, data=chunk)
        self._chunks += 1


def _too_large(what: str) -> str:
    return f"{what} is larger than {MAX_BYTES // 1024 // 1024} MB. Split it into several files."


def delete_expired_files() -> int:
    """Delete files whose time is over; returns how many."""
    _, deleted = StoredFile.objects.filter(expires_at__lt=clock.now()).delete()
    return deleted.get(StoredFile._meta.label, 0)


# Arriving over HTTP -------------------------------------------------------------------------------


class ArrivedFile(UploadedFile):  # type: ignore[type-arg]  # takes none at run time
    """A file of a form that is already stored. It expires within the hour unless somebody takes it."""

    def __init__(self, stored: StoredFile, content_type: str | None) -> None:
        super().__init__(None, stored.name, content_type, stored.size)
        self.stored = stored


class StoringHandler(FileUploadHandler):
    """Puts an arriving file into chunks as it arrives, so that neither memory nor a host's disk holds it.

    Each chunk is committed by itself: a slow line holds no transaction open.
    """

    chunk_size = 256 * 1024

    def __init__(self, request: HttpRequest, team_id: int) -> None:
        super().__init__(request)
        self._team_id = team_id

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._writer: _Writer | None = None

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._writer is None:
            self._writer = _Writer(self._team_id, self.file_name or "", ARRIVING_LIVES)
        self._writer.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:  # type: ignore[type-arg]
        if self._writer is None:
            return UploadedFile(io.BytesIO(), self.file_name, self.content_type, 0)
        return ArrivedFile(self._writer.finish(), self.content_type)


def store_what_arrives(request: HttpRequest, team_id: int) -> None:
    """Have the request's file stored as it is read; raises ActionRefused, before that, when it is too large.

    To be called before anything has looked at `request.POST`.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES + FORM_BYTES:
        raise ActionRefused(_too_large("The file"), status=400)
    request.upload_handlers = [StoringHandler(request, team_id)]


# Reading ------------------------------------------------------------------------------------------


def open_file(file: StoredFile, *, watch: Callable[[int], None] | None = None) -> io.BufferedReader:
    """The file's bytes as a stream that holds one chunk at a time; `watch` is told the size of each as it is read."""
    return io.BufferedReader(_ChunkReader(file, watch), buffer_size=64 * 1024)


class _ChunkReader(io.RawIOBase):
    def __init__(self, file: StoredFile, watch: Callable[[int], None] | None) -> None:
        self._file = file
        self._watch = watch
        self._number = 0
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        if not self._held:
            chunk = _chunk(self._file, self._number)
            if not chunk:
                return 0
            self._held, self._number = chunk, self._number + 1
            if self._watch:
                self._watch(len(self._held))
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count


# What COPY's binary form writes around the one cell that is asked for.
_BEFORE, _AFTER = 25, 2


def _chunk(file: StoredFile, number: int) -> memoryview:
    """One chunk, empty past the last; by COPY, since a query's bytes come as hexadecimal text and take five times as long."""
    copied = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.cursor.copy_expert(
            cursor.cursor.mogrify(
                "copy (select data from common_storedfilechunk where file_id = %s and number = %s) to stdout (format binary)",
                [file.pk, number],
            ),
            copied,
        )
    return copied.getbuffer()[_BEFORE:-_AFTER]
