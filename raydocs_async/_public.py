"""The public names, written once: documentation and tests read them here.

`raydocs_async` loads this module when one of the names is used first. Each import repeats its name
(``as``), by which type checkers recognise a re-export.
"""

# `from raydocs_async import errors` would call the package's `__getattr__`, which imports this.
import raydocs_async.errors as errors  # noqa: F401, PLR0402
import raydocs_async.events as events  # noqa: F401, PLR0402
import raydocs_async.models as models  # noqa: F401, PLR0402
from raydocs_async._converter import converter as converter
from raydocs_async._limits._queue import RateLimiter as RateLimiter
from raydocs_async._limits._values import RateLimit as RateLimit
from raydocs_async._limits._values import RateLimitStatus as RateLimitStatus
from raydocs_async._outcome import Failed as Failed
from raydocs_async._outcome import Fetched as Fetched
from raydocs_async._progress import Progress as Progress
from raydocs_async._retry import RetryPolicy as RetryPolicy
from raydocs_async._stream import Stream as Stream
from raydocs_async.audit import Evidence as Evidence
from raydocs_async.audit import ExtractedField as ExtractedField
from raydocs_async.client import RaydocsClient as RaydocsClient
from raydocs_async.errors import APIConnectionError as APIConnectionError
from raydocs_async.errors import APIResponseValidationError as APIResponseValidationError
from raydocs_async.errors import APIStatusError as APIStatusError
from raydocs_async.errors import APITimeoutError as APITimeoutError
from raydocs_async.errors import Attempt as Attempt
from raydocs_async.errors import AuthenticationError as AuthenticationError
from raydocs_async.errors import BadRequestError as BadRequestError
from raydocs_async.errors import ClientClosedError as ClientClosedError
from raydocs_async.errors import ConfigurationError as ConfigurationError
from raydocs_async.errors import FileError as FileError
from raydocs_async.errors import InternalServerError as InternalServerError
from raydocs_async.errors import InvalidIdError as InvalidIdError
from raydocs_async.errors import NotFoundError as NotFoundError
from raydocs_async.errors import PermissionDeniedError as PermissionDeniedError
from raydocs_async.errors import RateLimitError as RateLimitError
from raydocs_async.errors import RaydocsError as RaydocsError
from raydocs_async.errors import UnprocessableEntityError as UnprocessableEntityError
from raydocs_async.errors import WaitTimeoutError as WaitTimeoutError
from raydocs_async.models import Block as Block
from raydocs_async.models import Chunk as Chunk
from raydocs_async.models import Document as Document
from raydocs_async.models import DocumentRef as DocumentRef
from raydocs_async.models import DocumentStatus as DocumentStatus
from raydocs_async.models import Parsing as Parsing
from raydocs_async.models import ParsingStatus as ParsingStatus
from raydocs_async.models import Result as Result
from raydocs_async.models import ResultStatus as ResultStatus
from raydocs_async.models import Session as Session
from raydocs_async.models import SessionStatus as SessionStatus
from raydocs_async.models import Source as Source
