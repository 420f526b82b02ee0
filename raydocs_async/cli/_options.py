"""Options that several commands share, and the parsers of their values."""

import contextlib
import csv
import io
import math
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypedDict, TypeVar

import click

from raydocs_async.cli._shard import Shard

MAX_NUMBER: Final = 1e9
"""The library's bound of seconds."""

TABLE_FORMATS: Final = ("parquet", "csv", "json", "duckdb", "sqlite")
"""Suffixes of the files that ``table`` makes."""

Function = TypeVar("Function", bound=Callable[..., Any])


class ConnectionOptions(TypedDict):
    """Options of every command that sends requests to the service."""

    token_file: str | None
    rate_limit: tuple[int, float]
    """Requests, and the seconds of the window in which the service allows them."""
    shared_limit: str | None
    """Path of the file by which processes share the limit; ``None``: as the environment says."""
    max_wait: float
    """Seconds."""


class Columns(NamedTuple):
    """Columns of a table of ids."""

    column: str
    """The name of the column with the ids."""
    keep: tuple[str, ...] = ()
    """The names of the columns whose values go into the output."""


class LogOptions(NamedTuple):
    """Options of the lines on standard error."""

    as_json: bool
    interval: float
    """Seconds between two lines of the progress."""
    verbose: bool
    """Show retries, windows and other processes."""


class FetchOptions(NamedTuple):
    """Options of ``fetch``, but for those of the connection."""

    ids: tuple[str, ...]
    inputs: tuple[str, ...]
    """Paths of files of ids; ``-`` is standard input."""
    columns: Columns | None
    """Where the ids are, if the files are tables."""
    output: str
    errors: str | None
    shard: Shard
    resume: bool
    retry_failed: bool
    quiet: bool
    wait: float | None
    """Seconds to wait for unfinished sessions, or infinity; ``None`` not to wait."""
    summary: str | None
    """Path of the file of the summary."""
    log: LogOptions


class SandboxOptions(NamedTuple):
    """Options of ``sandbox``."""

    port: int
    """The port to listen on; 0 is any free one."""
    rate_limit: tuple[int, float]
    """Requests, and the seconds of a window."""
    sessions: int
    """The number of sessions."""
    ids: str | None
    """The path of a file to write their ids to."""
    faults: float
    """The share of requests that fail, from 0 to 1."""
    finish_within: float | None
    """Seconds until all sessions are finished; ``None``: they are from the start."""
    unfinished: int
    """The number of sessions that never finish."""
    verbose: bool
    """Show each request."""


class TableOptions(NamedTuple):
    """Options of ``table``."""

    files: tuple[str, ...]
    """Paths of files that ``fetch`` has written."""
    output: str
    rows: str
    """The kind of rows."""
    columns: tuple[str, ...] | None
    """The names of the columns; ``None`` for all of them."""
    explode: str | None
    """The path of an array in the data, whose items are the rows."""
    overwrite: bool
    quiet: bool


class ReportOptions(NamedTuple):
    """Options of ``report``."""

    files: tuple[str, ...]
    """Paths of files that ``fetch`` has written."""
    output: str
    errors: str | None
    """The path of the errors file of ``fetch``."""
    summary: str | None
    """The path of the summary of ``fetch``."""
    overwrite: bool
    quiet: bool

    @property
    def inputs(self) -> tuple[str, ...]:
        """Paths of all files that are read."""
        return (*self.files, *filter(None, (self.errors, self.summary)))


def parse_rate_limit(value: str) -> tuple[int, float]:
    """Parse ``REQUESTS/SECONDS``, as in ``100/60``.

    Raises:
        click.BadParameter: `value` has another form.
    """
    requests, _, seconds = value.partition("/")
    with contextlib.suppress(ValueError):
        if int(requests) > 0 and 0 < float(seconds) < MAX_NUMBER:
            return int(requests), float(seconds)
    raise click.BadParameter(f"{value!r} is not of the form 100/60, with both above 0")


def parse_shard(value: str) -> Shard:
    """Parse ``I/N``, as in ``1/3``.

    Raises:
        click.BadParameter: `value` is not one of ``1/N`` to ``N/N``.
    """
    number, _, total = value.partition("/")
    with contextlib.suppress(ValueError):  # `int` refuses several thousand digits
        if number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total):
            return Shard(int(number), int(total))
    raise click.BadParameter(f"{value!r} is not one of 1/N, 2/N, … N/N")


def parse_wait(value: str) -> float:
    """Parse the seconds of an option whose value may be left out; ``inf`` for no limit.

    Raises:
        click.BadParameter: `value` is not a number above 0.
    """
    with contextlib.suppress(ValueError):
        if 0 < float(value) < MAX_NUMBER or float(value) == math.inf:
            return float(value)
    # click takes any word behind the option as its value.
    raise click.BadParameter(f"{value!r} is not a number of seconds; put ids before --wait")


class BoundedFloat(click.FloatRange):
    """A number in a range, and below `MAX_NUMBER`."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert an option's value."""
        number = float(super().convert(value, param, ctx))
        # The range alone accepts nan, because no comparison with nan is true.
        if not number < MAX_NUMBER:
            self.fail(f"{value} is not a number below 1e9", param, ctx)
        return number


def rate_limit_option(description: str) -> Callable[[Function], Function]:
    """Return the option ``--rate-limit`` with its help text."""
    return click.option(
        "--rate-limit",
        type=parse_rate_limit,
        metavar="REQUESTS/SECONDS",
        default="100/60",
        show_default=True,
        help=description,
    )


def parse_names(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Parse comma-separated names, each once; one with a comma in it is quoted as in CSV."""
    names = [name for row in csv.reader(values, skipinitialspace=True) for name in row]
    return tuple(dict.fromkeys(filter(None, names)))


def format_names(names: Iterable[str]) -> str:
    """Return the value of an option that `parse_names` parses to these names."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def target_option(metavar: str) -> Callable[[Function], Function]:
    """Return the option ``-o`` of a command that saves one file."""
    return click.option(
        "--output", "-o", required=True, type=click.Path(), metavar=metavar, help="The file."
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on a terminal, too.")
column_option = click.option(
    "--column",
    metavar="NAME",
    help="The files are tables (CSV, TSV, JSON Lines, Parquet) with the ids in this column.",
)
sources_option = click.option(
    "--sources",
    "with_sources",
    is_flag=True,
    help="Show below each value its reasoning and the passages that it was read from.",
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
quiet_option = click.option(
    "--quiet", "-q", is_flag=True, help="No progress; no summary either, if all is finished."
)
verbose_option = click.option("--verbose", "-v", is_flag=True, help="Show more of what happens.")
_token_file_option = click.option(
    "--token-file",
    type=click.Path(),
    metavar="PATH|-",
    help="Read the token from a file, or from standard input.",
)
_shared_limit_option = click.option(
    "--shared-limit",
    type=click.Path(),
    metavar="PATH|URL",
    help="Share the limit with all processes that name the same file, or the same key of a Redis "
    "server: redis://HOST/0?key=NAME; by default $RAYDOCS_SHARED_LIMIT, if set.",
)
_max_wait_option = click.option(
    "--max-wait",
    type=BoundedFloat(0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="The longest wait for an exhausted rate limit, or for a service that is down.",
)


def connection_options(function: Function) -> Function:
    """Add the options of `ConnectionOptions` to a command."""
    limit_option = rate_limit_option(
        "The service's rate limit. The server's headers override the number of requests; "
        "they never say the window's length."
    )
    return _token_file_option(limit_option(_shared_limit_option(_max_wait_option(function))))
