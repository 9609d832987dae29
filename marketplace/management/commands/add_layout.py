from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace import clock
from marketplace.layouts import names_in
from marketplace.models import HITLayout
from marketplace.requesters import NoSuchRequester, find_requester
from marketplace.xml_reading import MAX_BYTES


class Command(BaseCommand):
    """Makes a HITLayout, which on MTurk only the requester site can."""

    help = (
        "Make a HITLayout of a file of HTML with ${names}; prints its HITLayoutId, then the names that "
        "HITLayoutParameters must give."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("requester", help="the requester's id (A…) or name")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--frame-height", type=int, default=0, help="pixels; 0, the default, grows with the content"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path, height = options["file"], options["frame_height"]
        if not 0 <= height < 10**9:
            raise CommandError("--frame-height must be a whole number of pixels, 0 to grow with the content.")
        try:
            requester = find_requester(options["requester"])
            html = path.read_text(encoding="utf-8")
        except NoSuchRequester as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CommandError(f"{path} is not UTF-8: {error.reason} at byte {error.start}.") from error
        if not html.strip() or "\0" in html or len(html.encode()) > MAX_BYTES:
            raise CommandError(f"{path} must hold HTML, of no more than {MAX_BYTES} bytes.")
        layout = HITLayout.objects.create(
            requester=requester, html=html, frame_height=height, created_at=clock.now()
        )
        self.stdout.write(layout.mturk_id)
        for name in names_in(html):
            self.stdout.write(name)
