"""A bulk job beside the workers of a web app; all of them share one rate limit.

    export RAYDOCS_SHARED_LIMIT=/run/raydocs/limit  # or redis://HOST/0?key=NAME
    uvicorn fastapi_app:app --workers 4
    python bulk_job.py IDS.txt

Of each window, 20 requests are kept for the workers, and they go before the job in any case.
"""

import asyncio
import logging
import sys
from pathlib import Path

from raydocs_async import RateLimit, RaydocsClient

log = logging.getLogger(__name__)


async def fetch_all(ids: list[str]) -> None:
    """Fetch them as fast as the rate limit lets a job that comes second."""
    async with (
        RaydocsClient(rate_limit=RateLimit(reserve=20)) as raydocs,
        raydocs.stream_sessions(ids) as stream,
    ):
        async for outcome in stream:
            log.info("%s: %s", outcome.id, outcome.error or "fetched")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(fetch_all(Path(sys.argv[1]).read_text(encoding="utf-8").split()))
