"""Add all commands, because each is imported when it is called, and the templates of `report`."""

from raydocs_async._freezing import list_files, list_modules

hiddenimports = list_modules("raydocs_async.cli")
datas = list_files("raydocs_async/cli/_report", ".css", ".html", ".js")
