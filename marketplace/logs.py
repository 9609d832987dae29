"""What is left out of the log."""

import logging
import re

# An id is shorter; what is longer opens something: a sign-in link, a preview, a HIT's content.
_TOKEN = re.compile(r"/[\w:.=~-]{40,}")


class WithoutTokens(logging.Filter):
    """Django writes the address of each request that fails, and some addresses are keys."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _TOKEN.sub("/…", record.getMessage()), ()
        return True
