"""The group of all commands, and its execution.

A new command is a function with its decorators in a module of this package, and its name in the
group. These modules import only what help needs; `_lazy` imports the rest.
"""

import io
import logging

import click

from raydocs_async import __version__
from raydocs_async.cli._commands.fetch import fetch
from raydocs_async.cli._commands.merge import merge
from raydocs_async.cli._commands.read import chunks, document, documents, get, result, results, wait
from raydocs_async.cli._commands.report import report
from raydocs_async.cli._commands.sandbox import demo, sandbox
from raydocs_async.cli._commands.save import download, export
from raydocs_async.cli._commands.table import table
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._printable import MAX_MESSAGE
from raydocs_async.cli._streams import say

EPILOG = """The token comes from $RAYDOCS_API_TOKEN or --token-file. It is never an argument,
because other users of the machine can read a process's arguments.
$RAYDOCS_BASE_URL selects another server.

Exit codes: 0 success; 1 some ids failed permanently, or the output could not be written;
2 invalid usage, and nothing was done; 4 the service rejects the token; 75 not finished, run it
again (an outage, a rate limit, an unfinished session, document or result); 130 interrupted, by
Ctrl-C, SIGTERM or SIGHUP."""


@click.group(
    "raydocs-async",
    commands=[
        get,
        fetch,
        merge,
        wait,
        table,
        report,
        result,
        results,
        document,
        documents,
        chunks,
        download,
        export,
        sandbox,
        demo,
    ],
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="raydocs-async")
def command_line() -> None:
    """Read extraction sessions from Raydocs, within its rate limit."""


class _Warnings(logging.Handler):
    """Prints the library's warnings, such as a shared limit that cannot be used."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a warning."""
        say(record.getMessage(), MAX_MESSAGE)


def execute() -> int:
    """Run the command line of this process, and return its exit code."""
    logging.getLogger("raydocs_async").addHandler(_Warnings(logging.WARNING))
    # In click's standalone mode, exit codes and messages would be click's own, and messages would
    # reach the terminal with control characters from the arguments.
    try:
        code: int | None = command_line.main(standalone_mode=False)
    except click.ClickException as exc:
        _show(exc)
        return exc.exit_code
    except click.Abort:  # click raises it for a KeyboardInterrupt
        say("Interrupted.")
        return ExitCode.INTERRUPTED
    except OSError as exc:
        say(f"Error: {exc}")
        return ExitCode.FAILED
    return code or ExitCode.OK


def _show(error: click.ClickException) -> None:
    text = io.StringIO()
    error.show(text)
    for line in text.getvalue().splitlines():
        say(line, MAX_MESSAGE)
