"""The forms in which an error leaves the process: texts, pickles, and tracebacks."""

import pickle
import traceback

from raydocs_async import RaydocsError


def with_locals(error: BaseException, *, skip: int = 0) -> str:
    """Return the traceback with local variables, without the caller's first `skip` frames."""
    trace = error.__traceback__
    for _ in range(skip):
        assert trace is not None
        trace = trace.tb_next
    told = traceback.TracebackException(type(error), error, trace, capture_locals=True)
    return "".join(told.format())


def everything_told(error: BaseException) -> str:
    """Return all forms in which an error may leave the process."""
    told = [str(error), repr(error), repr(error.args), with_locals(error)]
    told += [repr(vars(error)), "".join(traceback.format_exception(error))]
    if isinstance(error, RaydocsError):
        told += [repr(error.attempts), pickle.dumps(error, 0).decode("latin-1")]
    return "\n".join(told)
