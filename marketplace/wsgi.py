"""The marketplace's way in for gunicorn; it also starts the pass that does what time does."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
application = get_wsgi_application()

from marketplace import clockwork  # noqa: E402  (settings must be loaded first)

clockwork.start()
# With `gunicorn --preload` this module is read before the fork, and a thread does not survive a fork.
os.register_at_fork(after_in_child=clockwork.start)
