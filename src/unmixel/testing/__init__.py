"""Checks that any unmixing method must pass, for authors of methods."""

from __future__ import annotations

from unmixel.testing.method_contract import check_method

__all__ = ["check_method"]
