import http.client
import os
import socket
import ssl
import urllib.request

import pytest
import requests
import responses

ADDRESS = "https://example.testmo.net/api/v1/automation/runs"


def refuse(*_, **__):
    raise ConnectionRefusedError("no network in tests")


@responses.activate
def test_responses():
    responses.add(responses.GET, ADDRESS, json={"id": 1})
    assert requests.get(ADDRESS).json() == {"id": 1}


@responses.activate
def test_responses_fails():
    requests.get(ADDRESS)


def test_responses_left_on():
    responses.start()


def test_after_responses_left_on():
    responses.stop()
    responses.reset()


def test_requests_mock(requests_mock):
    requests_mock.post(ADDRESS, status_code=500)
    assert requests.post(ADDRESS).status_code == 500


def test_requests_mock_fails(requests_mock):
    requests.get(ADDRESS)


@pytest.fixture(autouse=True, scope="module")
def module_without_network():
    patch = pytest.MonkeyPatch()
    patch.setattr(socket, "getaddrinfo", refuse)
    patch.setattr(http.client.HTTPConnection, "connect", refuse)
    yield
    patch.undo()


def test_socket_is_gone(monkeypatch):
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(ConnectionRefusedError):
        socket.socket()


def test_http_is_gone(monkeypatch):
    monkeypatch.setattr(http.client, "HTTPConnection", refuse)
    monkeypatch.setattr(requests.Session, "send", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(ssl, "create_default_context", refuse)
    assert False, "and it fails"


def test_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    assert urllib.request.getproxies()["http"] == "http://127.0.0.1:9"


def test_proxies_left_behind():
    os.environ["HTTP_PROXY"] = "http://127.0.0.1:9"


def test_timeout(monkeypatch):
    monkeypatch.setattr(socket, "getdefaulttimeout", lambda: 0.001)
    socket.setdefaulttimeout(0.001)


def test_last():
    socket.setdefaulttimeout(None)
