"""The job of ``report``: one page in HTML to look at what `fetch` has written.

`_job` reads and writes; the other modules make text of values. The page holds everything that it
needs. Its list of sessions is plain HTML; the content of a session is JSON in a script element,
which the page's script makes visible when somebody opens the session. So a browser builds the rows
of one session, and not those of thousands.
"""

from raydocs_async.cli._report._job import run as run
