"""A stand-in for the Raydocs API on loopback, for tests that should not reach the network.

It serves sessions, documents, chunks, files, results and exports under the API's own throttle, with
the framework's headers and error bodies, and fails on request as networks and gateways do:

```python
async with Sandbox(limit=100, window=60) as api:
    api.script(Fault.status(503, retry_after=1), Fault.reset())
    async with RaydocsClient(token=api.token, base_url=api.url) as client:
        sessions = await client.get_sessions(api.ids(10))
assert api.stats.faults == 2
```
"""

from raydocs_async.sandbox._chunks import Shapes
from raydocs_async.sandbox._faults import Chaos, Fault
from raydocs_async.sandbox._server import Sandbox
from raydocs_async.sandbox._stats import LogEntry, Stats
from raydocs_async.sandbox._throttle import Store, Throttle

__all__ = ["Chaos", "Fault", "LogEntry", "Sandbox", "Shapes", "Stats", "Store", "Throttle"]
