"""Import and compute everything that commands load late, once, in the server from which processes are forked."""

import atexit
import gc
import os

import numpy.ma
import pyarrow.acero
import pyarrow.dataset

from pipeline.analysis import database
from pipeline.analysis.spans import spans
from pipeline.commands import app, progress
from service import server
from tests.support import victim, views

# The command-line library imports more modules when it parses arguments.
app.parser_of(app.COMMANDS, "run")[0].parse([])
spans()
views.built()
# A forked process need neither look through all this for garbage nor copy it.
gc.freeze()
# The engine complains about its own objects when the interpreter shuts down.
atexit.register(os._exit, 0)

__all__ = ["database", "numpy", "progress", "pyarrow", "server", "victim", "views"]
