"""Prints the versions of the Python tools, a line each."""

import importlib.metadata
import platform
import sqlite3

import pyvips

print("Python", platform.python_version())
print("SQLite of Python", sqlite3.sqlite_version)
print("libvips of pyvips", ".".join(str(pyvips.version(part)) for part in range(3)))
for name in ["pyvips", "pillow", "sqlalchemy-media", "SQLAlchemy"]:
    print(name, importlib.metadata.version(name))
