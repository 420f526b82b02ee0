"""The files of the passages that values were read from.

A passage names its chunk, but not the document that the chunk belongs to. A result of one document
leaves no choice; for one of several, the chunks of its documents are fetched.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias
from uuid import UUID

from raydocs_async import Document, RaydocsClient, RaydocsError, Result, Session

SourceFiles: TypeAlias = Mapping[UUID, str]
"""Names of files, by the ids of their chunks."""


async def find_source_files(client: RaydocsClient, shown: object) -> SourceFiles:
    """Return the files of the passages in a session or a result, as far as they can be known.

    Args:
        client: Fetches chunks; those that it cannot fetch are left out.
        shown: A session, a result, or anything else, which has no passages.
    """
    match shown:
        case Session():
            results, documents = shown.results, shown.documents
        case Result():
            results, documents = (shown,), ()
        case _:
            return {}
    files: dict[UUID, str] = {}
    for result in results:
        await _add_files(client, result, documents, files)
    return files


async def _add_files(
    client: RaydocsClient, result: Result, documents: Iterable[Document], files: dict[UUID, str]
) -> None:
    """Add the files of one result's passages."""
    named = {each.id: each.filename for each in documents}
    names = {
        each.document_id: each.filename or named.get(each.document_id)
        for each in result.document_refs
    } or named
    wanted = {source.chunk_id for field in result.fields() for source in field.sources}
    for document_id, name in names.items():
        missing = {each for each in wanted if each is not None and each not in files}
        if name is None or not missing:
            continue
        found = missing if len(names) == 1 else await _chunk_ids(client, document_id)
        files.update(dict.fromkeys(found & missing, name))


async def _chunk_ids(client: RaydocsClient, document_id: UUID) -> set[UUID]:
    try:
        return {each.id for each in await client.get_chunks(document_id)}
    except RaydocsError:
        return set()
