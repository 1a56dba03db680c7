"""File permissions that stop root too."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_VERSION: Final = 0x20080522  # of the structures below, _LINUX_CAPABILITY_VERSION_3
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2  # the capabilities by which root ignores file modes


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def permissions_obeyed() -> Iterator[None]:
    """Make root obey file modes, in this thread and in the threads that it starts."""
    before = _capabilities()
    lowered = (_Data * 2)(*before)
    lowered[0].effective = before[0].effective & ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    _set_capabilities(lowered)
    try:
        yield
    finally:
        _set_capabilities(before)


def _capabilities() -> "ctypes.Array[_Data]":
    found = (_Data * 2)()  # 64 capabilities in two halves
    _call("capget", found)
    return found


def _set_capabilities(wanted: "ctypes.Array[_Data]") -> None:
    _call("capset", wanted)


def _call(name: str, data: "ctypes.Array[_Data]") -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(ctypes.byref(_Header(_VERSION, 0)), data):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
