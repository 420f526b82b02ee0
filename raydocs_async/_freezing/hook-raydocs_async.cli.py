"""Add all commands, because each is imported when it is called."""

from raydocs_async._freezing import list_modules

hiddenimports = list_modules("raydocs_async.cli")
