"""The commands and their options; what they do is imported once the command line is read."""

import contextlib
import io
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from raydocs_async import __version__
from raydocs_async.cli._exit import Exit
from raydocs_async.cli._printable import LONGEST
from raydocs_async.cli._streams import say

EPILOG = """The token is read from $RAYDOCS_API_TOKEN or --token-file, and is never an argument,
which others on the machine could see. $RAYDOCS_BASE_URL leads to another server.

Exit codes: 0 all is well; 1 some ids failed for good, or the output could not be written;
2 invalid usage, and nothing was done; 4 the service refuses the token; 75 not done, run it again
(an outage, a rate limit, sessions that are not finished); 130 interrupted,
by Ctrl-C, SIGTERM or SIGHUP."""


def runs(module: str, function: str) -> Callable[..., Any]:
    """Make a command's callback of a function in a module that is imported when it is called."""

    def callback(**options: Any) -> Any:
        return getattr(import_module(f"raydocs_async.cli.{module}"), function)(**options)

    return callback


def parse_rate_limit(value: str) -> tuple[int, float]:
    """Read ``REQUESTS/SECONDS``, as in ``100/60``.

    Raises:
        click.BadParameter: it is not of that form.
    """
    requests, _, seconds = value.partition("/")
    with contextlib.suppress(ValueError):
        if int(requests) > 0 and 0 < float(seconds) < 1e9:
            return int(requests), float(seconds)
    raise click.BadParameter(f"{value!r} is not of the form 100/60, with both above 0")


def parse_shard(value: str) -> tuple[int, int]:
    """Read ``I/N``, as in ``1/3``.

    Raises:
        click.BadParameter: it is none of ``1/N`` to ``N/N``.
    """
    index, _, count = value.partition("/")
    with contextlib.suppress(ValueError):  # of several thousand digits
        if index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
            return int(index), int(count)
    raise click.BadParameter(f"{value!r} is none of 1/N, 2/N, … N/N")


class Number(click.FloatRange):
    """A number in a range, but not ``nan``, which no comparison excludes, and not too large."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it."""
        number = float(super().convert(value, param, ctx))
        if not number < 1e9:  # the library's bound of seconds
            self.fail(f"{value} is not a number below 1e9", param, ctx)
        return number


TOKEN_FILE = click.Option(
    ["--token-file"],
    type=click.Path(),
    metavar="PATH|-",
    help="Read the token from a file, or from standard input.",
)
RATE_LIMIT = click.Option(
    ["--rate-limit"],
    type=parse_rate_limit,
    metavar="REQUESTS/SECONDS",
    default="100/60",
    show_default=True,
    help="What the service allows. Its own headers win; they do not tell the seconds.",
)
MAX_WAIT = click.Option(
    ["--max-wait"],
    type=Number(0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait at most for a shut rate limit, or for a service that is down.",
)
JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON on a terminal, too.")
QUIET = click.Option(["--quiet", "-q"], is_flag=True, help="No progress and no summary.")
CONNECTION = [TOKEN_FILE, RATE_LIMIT, MAX_WAIT]

GET = click.Command(
    "get",
    help="""Fetch one session and show it.

    On a terminal as a tree of its documents and results; otherwise as one line of JSON.""",
    params=[click.Argument(["session_id"], metavar="ID"), JSON, *CONNECTION],
    callback=runs("_session", "get"),
)

FETCH = click.Command(
    "fetch",
    help="""Fetch many sessions, as JSON Lines.

    IDS are session ids; - reads them from standard input, one a line. Each session is written as
    it arrives, whole and once, whatever stops the command.""",
    params=[
        click.Argument(["ids"], nargs=-1, metavar="[IDS|-]..."),
        click.Option(
            ["--input", "-i", "inputs"],
            multiple=True,
            type=click.Path(),
            metavar="FILE",
            help="Read ids from a file, one a line, or - for standard input; can be repeated.",
        ),
        click.Option(
            ["--output", "-o"],
            default="-",
            type=click.Path(),
            metavar="OUT.jsonl[.gz]",
            help="Where to write; standard output by default. A name in .gz is compressed.",
        ),
        click.Option(
            ["--errors", "-e"],
            type=click.Path(),
            metavar="FILE",
            help="Write the ids that failed, and why, as JSON Lines, instead of showing them.",
        ),
        click.Option(
            ["--resume"],
            is_flag=True,
            help="Go on with an output file: finished sessions in it are not fetched again.",
        ),
        click.Option(
            ["--shard"],
            type=parse_shard,
            metavar="I/N",
            help="Take only the I-th of N parts of the ids, for N machines with N addresses.",
        ),
        QUIET,
        *CONNECTION,
    ],
    callback=runs("_fetch", "run"),
)

WAIT = click.Command(
    "wait",
    help="""Wait until a session is finished, and show it.

    It is fetched again and again, and shown as `get` does.""",
    params=[
        click.Argument(["session_id"], metavar="ID"),
        click.Option(
            ["--timeout"],
            type=Number(0, min_open=True),
            default=600.0,
            show_default=True,
            metavar="SECONDS",
            help="How long to wait at most.",
        ),
        JSON,
        *CONNECTION,
    ],
    callback=runs("_session", "wait"),
)

SANDBOX = click.Command(
    "sandbox",
    help="""Run a stand-in for the API on this machine.

    It prints the two environment variables that lead the other commands to it, and runs until it
    is interrupted.""",
    params=[
        click.Option(
            ["--port"],
            type=click.IntRange(0, 65535),
            default=0,
            show_default=True,
            help="Where to listen; 0 is any that is free.",
        ),
        click.Option(
            ["--rate-limit"],
            type=parse_rate_limit,
            metavar="REQUESTS/SECONDS",
            default="100/60",
            show_default=True,
            help="What it allows; tell the clients, too.",
        ),
        click.Option(
            ["--sessions"],
            type=click.IntRange(0),
            default=1000,
            show_default=True,
            help="How many sessions it has.",
        ),
        click.Option(
            ["--ids"],
            type=click.Path(),
            metavar="FILE",
            help="Write their ids to a file, one a line.",
        ),
        click.Option(
            ["--faults"],
            type=Number(0, 1),
            default=0.0,
            show_default=True,
            metavar="SHARE",
            help="The share of requests that go wrong at random, from 0 to 1.",
        ),
    ],
    callback=runs("_sandbox", "run"),
)

DEMO = click.Command(
    "demo",
    help="""Fetch a few hundred sessions from a sandbox.

    Some requests go wrong, and the rate limit is used to the last one.""",
    params=[
        click.Option(
            ["--output", "-o"],
            type=click.Path(),
            metavar="OUT.jsonl",
            help="Where to write; a temporary file by default.",
        ),
        QUIET,
    ],
    callback=runs("_demo", "run"),
)

GROUP = click.Group(
    "raydocs-async",
    help="Read extraction sessions from Raydocs, within its rate limit.",
    epilog=EPILOG,
    commands=[GET, FETCH, WAIT, SANDBOX, DEMO],
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(__version__, prog_name="raydocs-async")(GROUP)


def execute() -> int:
    """Run the command line of this process, and return its exit code."""
    try:
        code: int | None = GROUP.main(standalone_mode=False)
    except click.ClickException as exc:
        _show(exc)
        return exc.exit_code
    except click.Abort:  # click has turned a KeyboardInterrupt into it
        say("Interrupted.")
        return Exit.INTERRUPTED
    except OSError as exc:
        say(f"Error: {exc}")
        return Exit.FAILED
    return code or Exit.OK


def _show(error: click.ClickException) -> None:
    shown = io.StringIO()
    error.show(shown)
    for line in shown.getvalue().splitlines():
        say(line, LONGEST)
