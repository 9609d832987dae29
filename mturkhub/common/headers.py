"""Headers that every answer has, whoever made it: what a browser may keep, load into other pages, and use of the machine."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

# None of our pages needs any of these, and so no page in a frame of ours gets them.
DENIED = (
    "accelerometer, browsing-topics, camera, display-capture, encrypted-media, geolocation, gyroscope, hid, "
    "identity-credentials-get, idle-detection, local-fonts, magnetometer, microphone, midi, payment, serial, "
    "storage-access, usb, window-management, xr-spatial-tracking"
)
PERMISSIONS = ", ".join(f"{name}=()" for name in DENIED.split(", "))
# For what is no page of ours: files, and answers made before the page policy could be set.
NOTHING = "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class HeadersMiddleware:
    """Sets each of them where nobody has; it stands first, so that refusals of other middleware have them too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_file = request.path.startswith(settings.STATIC_URL)
        told = {
            "Content-Security-Policy": NOTHING,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
            "Permissions-Policy": PERMISSIONS,
            "Cross-Origin-Opener-Policy": "same-origin",
            # Files are public, and pages in a sandboxed frame, whose origin is nobody's, load some of them.
            "Cross-Origin-Resource-Policy": "cross-origin" if is_file else "same-origin",
        }
        if is_file:
            told["X-Frame-Options"] = "DENY"
        else:
            # A page may be kept for going back, for what was typed into it must not be lost; a download need not be.
            is_download = "Content-Disposition" in response
            told["Cache-Control"] = "no-store" if is_download else "private, no-cache"
        for name, value in told.items():
            response.setdefault(name, value)
        ended = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if ended is not None and not ended.value:
            # Who signs out leaves nothing to go back to.
            response["Clear-Site-Data"] = '"cache"'
        return response
