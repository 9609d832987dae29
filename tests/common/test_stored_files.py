"""Files in Postgres: bytes go in and come out as streams."""

import hashlib
from datetime import timedelta

import pytest

from mturkhub.common import stored_files
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import StoredFile, StoredFileChunk
from mturkhub.common.stored_files import CHUNK_BYTES, delete_expired_files, open_file, store_file

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("parts", "chunks"),
    [
        ([], 0),
        ([b""], 0),
        ([b"a", b"", b"bc"], 1),
        ([b"x" * CHUNK_BYTES], 1),
        ([b"x" * (CHUNK_BYTES - 1), b"yz"], 2),
        ([b"x" * (2 * CHUNK_BYTES + 5)], 3),
    ],
)
def test_the_bytes_come_back_as_they_went_in(parts, chunks):
    whole = b"".join(parts)

    file = store_file(7, "texts.csv", parts)

    assert StoredFileChunk.objects.filter(file=file).count() == chunks
    stored = StoredFile.objects.get()
    assert (stored.team_id, stored.name, stored.size) == (7, "texts.csv", len(whole))
    assert stored.sha256 == hashlib.sha256(whole).hexdigest()
    with open_file(stored) as stream:
        assert stream.read() == whole


def test_reading_a_line_fetches_one_chunk_and_not_the_file():
    file = store_file(7, "texts.csv", [b"first\n" + b"x" * (3 * CHUNK_BYTES)])

    fetched = []

    with open_file(file, watch=fetched.append) as stream:
        assert stream.readline() == b"first\n"
    assert fetched == [CHUNK_BYTES]


def test_a_line_across_two_chunks_is_one_line():
    file = store_file(7, "texts.csv", [b"x" * (CHUNK_BYTES - 2) + b"\nhello\nend"])

    with open_file(file) as stream:
        lines = list(stream)

    assert lines[1:] == [b"hello\n", b"end"]


def test_a_file_that_is_too_large_is_refused_and_nothing_of_it_stays(monkeypatch):
    monkeypatch.setattr(stored_files, "MAX_BYTES", 2 * CHUNK_BYTES)
    taken = []

    def parts():
        for _ in range(100):
            taken.append(CHUNK_BYTES)
            yield b"x" * CHUNK_BYTES

    with pytest.raises(ActionRefused) as refused:
        store_file(7, "large.csv", parts())

    assert refused.value.sentence == "“large.csv” is larger than 2 MB. Split it into several files."
    assert refused.value.status == 400
    assert len(taken) == 3
    assert not StoredFile.objects.exists()
    assert not StoredFileChunk.objects.exists()


def test_exactly_the_largest_size_is_taken(monkeypatch):
    monkeypatch.setattr(stored_files, "MAX_BYTES", CHUNK_BYTES)

    assert store_file(7, "just.csv", [b"x" * CHUNK_BYTES]).size == CHUNK_BYTES


def test_the_end_of_a_long_name_is_kept_for_it_says_the_format():
    assert store_file(7, f"{'n' * 300}.csv", []).name.endswith("n.csv")


def test_only_files_whose_time_is_over_are_deleted():
    store_file(7, "for good.csv", [b"a"])
    store_file(7, "fresh", [b"a"], lives=timedelta(minutes=10))
    store_file(7, "old", [b"a"], lives=-timedelta(seconds=1))

    deleted = delete_expired_files()

    assert deleted == 1
    assert set(StoredFile.objects.values_list("name", flat=True)) == {"for good.csv", "fresh"}
    assert StoredFileChunk.objects.count() == 2
    assert delete_expired_files() == 0
