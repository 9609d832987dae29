"""Where Workers can live: countries and US states, as ISO 3166 has them."""

from functools import cache

import pycountry


@cache
def countries() -> dict[str, str]:
    """Names by two-letter code, in the order of the names."""
    named = {each.alpha_2: getattr(each, "common_name", each.name) for each in pycountry.countries}
    return dict(sorted(named.items(), key=lambda item: item[1]))


@cache
def us_states() -> dict[str, str]:
    """Names by two-letter code, in the order of the names."""
    named = {
        each.code.removeprefix("US-"): each.name
        for each in pycountry.subdivisions
        if each.code.startswith("US-")
    }
    return dict(sorted(named.items(), key=lambda item: item[1]))


def place_name(country: str, subdivision: str = "") -> str:
    """`Washington, United States`; codes nobody knows as they are."""
    name = countries().get(country, country)
    return f"{us_states().get(subdivision, subdivision)}, {name}" if subdivision else name
