"""The project's checks, one session each: ``nox`` runs lint, types, tests and docs.

Each session makes an environment of its own. ``nox --no-venv -s NAME`` uses the environment that
nox runs in, so that torch (some GB) is not installed once more; ``.ci/run`` does that.
"""

from __future__ import annotations

import re
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "tests", "docs"]
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True

ROOT = Path(__file__).parent
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def _install(session: nox.Session, *arguments: str) -> None:
    """Install into the session's environment; with ``--no-venv``, take what is there."""
    if not isinstance(session.virtualenv, nox.virtualenv.PassthroughEnv):
        session.install(*arguments)


@nox.session
def lint(session: nox.Session) -> None:
    """Lint, and say whether the formatting holds."""
    _install(session, "ruff>=0.9")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package."""
    _install(session, "-e", ".[test]")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; what follows ``--`` goes to pytest, such as ``-n 0``."""
    _install(session, "-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Follow the links between the pages, and build the site strictly.

    Their commands and examples are among the tests.
    """
    _broken_links(session)
    _install(session, "-e", ".[test]")
    session.run("zensical", "build", "--strict")


@nox.session(python="3.11", venv_backend="uv")
def oldest(session: nox.Session) -> None:
    """Run the tests with the oldest versions that pyproject.toml allows; needs uv."""
    session.install("--resolution", "lowest-direct", "-e", ".[test,timm]")
    # An old package may warn of a newer one that it uses; that says nothing of biasaudit.
    session.run("pytest", "-o", "filterwarnings=default", *session.posargs)


@nox.session(reuse_venv=False)
def newest(session: nox.Session) -> None:
    """Run the tests with the newest versions there are, release candidates included."""
    session.install("--upgrade", "--pre", "-e", ".[test,timm]")
    session.run("pytest", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Change the code at random and see whether the tests notice: docs/testing.md."""
    _install(session, "-e", ".[test]", "cosmic-ray>=8.4", "coverage>=7.6")
    session.run("python", "-m", "benchmarks.mutation", *session.posargs)


@nox.session
def licences(session: nox.Session) -> None:
    """Refuse an environment with a package under the GPL or AGPL."""
    _install(session, "-e", ".[test,timm]")
    session.run("python", ".ci/licences.py")


@nox.session
def sbom(session: nox.Session) -> None:
    """Write dist/sbom.json, the packages of an installation in CycloneDX form."""
    _install(session, "cyclonedx-bom>=5", ".[coco,parquet,timm]")
    (ROOT / "dist").mkdir(exist_ok=True)
    session.run(
        "cyclonedx-py", "environment", "--output-reproducible",
        "--pyproject", "pyproject.toml", "--output-file", "dist/sbom.json",
    )  # fmt: skip


@nox.session
def audit(session: nox.Session) -> None:
    """Look for published vulnerabilities of the dependencies; needs the network."""
    _install(session, "pip", "pip-audit>=2.7", ".[coco,parquet,timm]")
    session.run("pip-audit", "--local", "--skip-editable", "--progress-spinner", "off")


def _broken_links(session: nox.Session) -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")]
    broken = []
    for page in pages:
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            target = link.partition("#")[0]
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    if broken:
        session.error("links that lead nowhere:\n" + "\n".join(broken))
    session.log(f"{len(pages)} pages, every link between them leads somewhere")
