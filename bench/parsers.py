"""Reading one realistic session (8 kB, 3 documents, 2 results): which JSON library, and how.

    python bench/parsers.py [OPTIONS OF PYTEST]

The three converters differ in their JSON library alone, and are cattrs' own: without the strictness
and the losslessness that `raydocs_async.converter` adds, which is the last row.
"""

import json
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import orjson
import pytest
from cattrs import Converter
from cattrs.preconf.json import make_converter as make_json_converter
from cattrs.preconf.msgspec import make_converter as make_msgspec_converter
from cattrs.preconf.orjson import make_converter as make_orjson_converter
from obvious_models import Session
from pytest_benchmark.fixture import BenchmarkFixture

import raydocs_async
from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._sessions import build_session

BODY = json.dumps(build_session(session_id(0))).encode()


def with_uuids(converter: Converter) -> Converter:
    """Teach a converter the one type that not every one of them knows."""
    converter.register_structure_hook(UUID, lambda value, _: UUID(value))
    return converter


def by_cattrs(make: Callable[..., Any], *, detailed: bool) -> Callable[[], Any]:
    """`loads` of one of cattrs' own converters."""
    converter: Any = with_uuids(make(detailed_validation=detailed))
    return lambda: converter.loads(BODY, Session)


DECODERS: dict[str, Callable[[], Any]] = {
    "json, to dicts": lambda: json.loads(BODY),
    "orjson, to dicts": lambda: orjson.loads(BODY),
    "msgspec, to dicts": lambda: msgspec.json.decode(BODY),
}
STRUCTURERS: dict[str, Callable[[], Any]] = {
    "cattrs.preconf.json, as it comes": by_cattrs(make_json_converter, detailed=True),
    "cattrs.preconf.json": by_cattrs(make_json_converter, detailed=False),
    "cattrs.preconf.orjson": by_cattrs(make_orjson_converter, detailed=False),
    "cattrs.preconf.msgspec": by_cattrs(make_msgspec_converter, detailed=False),
    "raydocs_async.converter": lambda: raydocs_async.converter.loads(BODY, raydocs_async.Session),
}


@pytest.mark.benchmark(group="to dicts")
@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS.keys())
def bench_decoding(benchmark: BenchmarkFixture, decode: Callable[[], Any]) -> None:
    """The JSON library alone."""
    benchmark(decode)


@pytest.mark.benchmark(group="to models")
@pytest.mark.parametrize("structure", STRUCTURERS.values(), ids=STRUCTURERS.keys())
def bench_structuring(benchmark: BenchmarkFixture, structure: Callable[[], Any]) -> None:
    """Bytes to typed values."""
    benchmark(structure)


# What watches the tests is off: it would be measured, too.
QUIET = ["-p", "no:randomly", "-p", "no:looptime"]
QUIET += ["-o", "asyncio_debug=false", "-o", "timeout=0", "-o", "python_functions=bench_*"]

if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *QUIET, "-o", "pythonpath=bench", *sys.argv[1:]]))
