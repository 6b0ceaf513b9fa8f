"""Tests of the whole way of a result: real sessions, real processes, real installations."""
