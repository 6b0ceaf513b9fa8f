"""Tests of the console command for CI pipelines."""
