"""FastAPI with bulk jobs beside its requests: run it with ``uvicorn fastapi_jobs:app``.

A job ends with the app, and of each window of the rate limit 20 requests are kept for the handlers.
Every answer has a model, so the app's OpenAPI document says what comes back.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi_app import answer_error
from pydantic import BaseModel

from raydocs_async import Failed, RateLimit, RaydocsClient, RaydocsError

log = logging.getLogger(__name__)


class Total(BaseModel):
    """The part of the extracted data that this app is about."""

    number: str
    currency: str
    total: float


class Invoice(BaseModel):
    """An invoice as Raydocs extracted it; keys that are not named here are left out."""

    invoice: Total


class SessionInvoices(BaseModel):
    """A session's invoices."""

    id: UUID
    status: str | None
    invoices: list[Invoice]


class JobState(BaseModel):
    """A job, as far as it is."""

    id: UUID
    state: Literal["running", "finished", "cancelled", "stopped"]
    done: int = 0
    failed: int = 0
    seconds_left: float | None = None


class Health(BaseModel):
    """The rate limit, as far as it is known."""

    limit: int | None
    remaining: int | None
    resets_in: float | None
    waiting: int


class Jobs:
    """The bulk jobs of this process."""

    def __init__(self, raydocs: RaydocsClient) -> None:
        self._raydocs = raydocs
        self._states: dict[UUID, JobState] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    def start(self, ids: list[UUID]) -> JobState:
        """Begin a job that nobody waits for."""
        state = JobState(id=uuid4(), state="running")
        self._states[state.id] = state
        self._tasks[state.id] = asyncio.create_task(self._run(state, ids))
        return state

    def find(self, job_id: UUID) -> JobState:
        """Return the state of a job."""
        if job_id not in self._states:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return self._states[job_id]

    async def cancel(self) -> None:
        """End all jobs; what they fetched so far stays where they put it."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, state: JobState, ids: list[UUID]) -> None:
        try:
            async with self._raydocs.stream_sessions(ids) as stream:
                async for outcome in stream:  # store outcome.session here
                    state.done += 1
                    state.failed += isinstance(outcome, Failed)
                    state.seconds_left = stream.progress.eta
            state.state = "finished"
        except asyncio.CancelledError:
            state.state = "cancelled"
            raise
        except RaydocsError:  # concerns every id, such as a refused token
            state.state = "stopped"
            log.exception("job %s stopped after %d sessions", state.id, state.done)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, RaydocsClient | Jobs]]:
    """Open the client; end the jobs before it is closed."""
    async with RaydocsClient(rate_limit=RateLimit(reserve=20)) as raydocs:
        jobs = Jobs(raydocs)
        try:
            yield {"raydocs": raydocs, "jobs": jobs}
        finally:
            await jobs.cancel()


def get_raydocs(request: Request) -> RaydocsClient:
    """The client; tests replace it by ``app.dependency_overrides``."""
    raydocs: RaydocsClient = request.state.raydocs
    return raydocs


def get_jobs(request: Request) -> Jobs:
    """The jobs of this process."""
    jobs: Jobs = request.state.jobs
    return jobs


Raydocs = Annotated[RaydocsClient, Depends(get_raydocs)]
RunningJobs = Annotated[Jobs, Depends(get_jobs)]

app = FastAPI(lifespan=lifespan, exception_handlers={RaydocsError: answer_error})


@app.get("/sessions/{session_id}")
async def read_invoices(session_id: UUID, raydocs: Raydocs) -> SessionInvoices:
    """The invoices of a session, each checked against this app's own model."""
    session = await raydocs.get_session(session_id, timeout=5.0)
    invoices = [result.data_as(Invoice) for result in session.results]
    return SessionInvoices(id=session.id, status=session.status, invoices=invoices)


@app.post("/jobs", status_code=HTTPStatus.ACCEPTED)
async def start_job(ids: list[UUID], jobs: RunningJobs) -> JobState:
    """Fetch many sessions, behind the requests of this app."""
    return jobs.start(ids)


@app.get("/jobs/{job_id}")
async def read_job(job_id: UUID, jobs: RunningJobs) -> JobState:
    """The job's state."""
    return jobs.find(job_id)


@app.get("/health")
async def read_health(raydocs: Raydocs) -> Health:
    """The rate limit's state. It asks Raydocs for nothing, or each check would cost a request."""
    return Health.model_validate(raydocs.rate_limit_status, from_attributes=True)
