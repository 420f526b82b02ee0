"""``result``, ``document``, ``chunks``, ``documents`` and ``results``: the parts of a session."""

from collections.abc import AsyncIterator
from typing import TypeVar, Unpack

import click

from raydocs_async.cli import _lazy
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._options import ConnectionOptions, connection_options, json_option

T = TypeVar("T")


@click.command()
@click.argument("result_id", metavar="ID")
@json_option
@connection_options
def result(result_id: str, *, as_json: bool, **connection: Unpack[ConnectionOptions]) -> ExitCode:
    """Fetch one result, with its data and audit trail.

    On a terminal as a tree of its values and their pages; otherwise as one line of JSON.
    """
    return _lazy.show.show(
        lambda client: client.get_result(result_id, timeout=connection["max_wait"]),
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
    """Fetch one document.

    It has the file's name, status and checksum; `download` saves the file itself.
    """
    return _lazy.show.show(
        lambda client: client.get_document(document_id, timeout=connection["max_wait"]),
        connection,
        as_json=as_json,
    )


@click.command()
@click.argument("document_id", metavar="DOCUMENT_ID")
@json_option
@connection_options
def chunks(document_id: str, *, as_json: bool, **connection: Unpack[ConnectionOptions]) -> ExitCode:
    """Fetch the passages of a document.

    The audit trail refers to them. On a terminal with their text; otherwise as JSON, a line each.
    """
    return _lazy.show.show(
        lambda client: client.get_chunks(document_id, timeout=connection["max_wait"]),
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

    On a terminal as trees; otherwise as JSON, a line each.
    """
    return _lazy.show.show(
        lambda client: _all(client.iter_documents(session_id, timeout=connection["max_wait"])),
        connection,
        as_json=as_json,
    )


@click.command()
@click.argument("session_id", metavar="SESSION_ID")
@json_option
@connection_options
def results(session_id: str, *, as_json: bool, **connection: Unpack[ConnectionOptions]) -> ExitCode:
    """List the results of a session.

    The list may leave out their data, which `result` has.
    """
    return _lazy.show.show(
        lambda client: _all(client.iter_results(session_id, timeout=connection["max_wait"])),
        connection,
        as_json=as_json,
    )


async def _all(items: AsyncIterator[T]) -> list[T]:
    return [each async for each in items]
