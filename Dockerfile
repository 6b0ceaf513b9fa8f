# The server for a team: docker build --tag automation-report .
# Its store is in the volume /var/lib/automation-report, or with AUTOMATION_REPORT_DATABASE in PostgreSQL.
FROM python:3.13.7-slim-trixie AS build
RUN python -m venv /opt/automation-report
COPY . /source
RUN /opt/automation-report/bin/pip install --no-cache-dir '/source[postgres,artifacts]'

FROM python:3.13.7-slim-trixie
RUN useradd --shell /usr/sbin/nologin --uid 10001 --create-home --home-dir /var/lib/automation-report reports
COPY --from=build /opt/automation-report /opt/automation-report
ENV PATH=/opt/automation-report/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1
USER 10001
WORKDIR /var/lib/automation-report
VOLUME /var/lib/automation-report
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["automation-report"]
CMD ["serve", "--host=0.0.0.0", "--allow-remote"]
