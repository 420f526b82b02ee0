"""Add the whole library, because its public names are loaded at their first use."""

from raydocs_async._freezing import list_modules

# Most programs use none of these; a program that does imports them itself.
hiddenimports = list_modules(
    "raydocs_async",
    "raydocs_async.cli",
    "raydocs_async.otel",
    "raydocs_async.ray",
    "raydocs_async._ray_checkpoint",
    "raydocs_async._rows",
    "raydocs_async.testing",
    "raydocs_async.__main__",
)
