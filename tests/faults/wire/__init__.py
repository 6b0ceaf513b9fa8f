"""Tests of the client on real connections: time-outs, half answers, resets, TLS, proxies, names."""
