"""The commands that show one object, or the list of what belongs to one."""

from typing import Unpack

import click

from raydocs_async.cli import _lazy
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._options import (
    BoundedFloat,
    ConnectionOptions,
    connection_options,
    json_option,
    sources_option,
)


@click.command()
@click.argument("session_id", metavar="ID")
@sources_option
@json_option
@connection_options
def get(
    session_id: str,
    *,
    with_sources: bool,
    as_json: bool,
    **connection: Unpack[ConnectionOptions],
) -> ExitCode:
    """Fetch one session and show it.

    On a terminal as a tree of its results and documents; otherwise as one line of JSON.
    """
    return _lazy.read.show(
        lambda client: client.get_session(session_id, timeout=connection["max_wait"]),
        connection,
        as_json=as_json,
        with_sources=with_sources,
    )


@click.command()
@click.argument("session_id", metavar="ID")
@click.option(
    "--timeout",
    type=BoundedFloat(0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="The longest wait for the session.",
)
@json_option
@connection_options
def wait(
    session_id: str, *, timeout: float, as_json: bool, **connection: Unpack[ConnectionOptions]
) -> ExitCode:
    """Wait until a session is finished, and show it.

    The session is fetched repeatedly until then, and shown as `get` shows it.
    """
    _lazy.read.announce_wait(timeout)
    return _lazy.read.show(
        lambda client: client.wait_for_session(session_id, timeout=timeout),
        connection,
        as_json=as_json,
    )


@click.command()
@click.argument("result_id", metavar="ID")
@sources_option
@json_option
@connection_options
def result(
    result_id: str,
    *,
    with_sources: bool,
    as_json: bool,
    **connection: Unpack[ConnectionOptions],
) -> ExitCode:
    """Show one result with its extracted values.

    On a terminal as a tree, with the page that each value was read from; otherwise as one line of
    JSON, with the audit trail.
    """
    return _lazy.read.show(
        lambda client: client.get_result(result_id, timeout=connection["max_wait"]),
        connection,
        as_json=as_json,
        with_sources=with_sources,
    )


@click.command()
@click.argument("session_id", metavar="SESSION_ID")
@json_option
@connection_options
def results(session_id: str, *, as_json: bool, **connection: Unpack[ConnectionOptions]) -> ExitCode:
    """List the results of a session.

    On a terminal as trees, otherwise as JSON, one result a line. The service may leave out their
    data, which `result` shows.
    """
    return _lazy.read.show(
        lambda client: client.iter_results(session_id, timeout=connection["max_wait"]),
        connection,
        as_json=as_json,
    )


@click.command()
@click.argument("document_id", metavar="ID")
@json_option
@connection_options
def document(
    document_id: str, *, as_json: bool, **connection: Unpack[ConnectionOptions]
) -> ExitCode:
    """Show one document.

    Its name, status and parsings; `download` saves the file. On a terminal as a tree, otherwise
    as one line of JSON.
    """
    return _lazy.read.show(
        lambda client: client.get_document(document_id, timeout=connection["max_wait"]),
        connection,
        as_json=as_json,
    )


@click.command()
@click.argument("session_id", metavar="SESSION_ID")
@json_option
@connection_options
def documents(
    session_id: str, *, as_json: bool, **connection: Unpack[ConnectionOptions]
) -> ExitCode:
    """List the documents of a session.

    On a terminal as trees, otherwise as JSON, one document a line.
    """
    return _lazy.read.show(
        lambda client: client.iter_documents(session_id, timeout=connection["max_wait"]),
        connection,
        as_json=as_json,
    )


@click.command()
@click.argument("document_id", metavar="DOCUMENT_ID")
@json_option
@connection_options
def chunks(document_id: str, *, as_json: bool, **connection: Unpack[ConnectionOptions]) -> ExitCode:
    """List the passages of a document.

    The audit trail of results leads to them. On a terminal as trees, otherwise as JSON, one
    passage a line.
    """
    return _lazy.read.show(
        lambda client: _lazy.unfinished.or_not_yet(
            client.get_chunks(document_id, timeout=connection["max_wait"]),
            lambda: client.get_document(document_id, timeout=connection["max_wait"]),
        ),
        connection,
        as_json=as_json,
    )
