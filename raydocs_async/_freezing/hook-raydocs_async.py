"""All of the library: its public names are loaded when they are first used."""

from raydocs_async._freezing import list_modules

# Most programs have no command line, and none has tests: these come when they are imported.
hiddenimports = list_modules(
    "raydocs_async", "raydocs_async.cli", "raydocs_async.testing", "raydocs_async.__main__"
)
