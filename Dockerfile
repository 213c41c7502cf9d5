# The server: locked packages, no compiler, a user of its own. `docker build -t citywarden:0.1.0 .`
FROM python:3.12.11-slim-bookworm AS packages
COPY requirements.lock /tmp/requirements.lock
RUN python -m venv /opt/citywarden \
 && /opt/citywarden/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
      -r /tmp/requirements.lock \
 && printf '#!/bin/sh\nexec python -m citywarden "$@"\n' > /opt/citywarden/bin/citywarden \
 && chmod 755 /opt/citywarden/bin/citywarden

FROM python:3.12.11-slim-bookworm
RUN groupadd --gid 10001 citywarden \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin citywarden \
 && install -d -m 700 -o 10001 -g 10001 /data
COPY --from=packages /opt/citywarden /opt/citywarden
COPY citywarden /app/citywarden
COPY ingest /app/ingest
COPY rules /app/rules
COPY fleet /app/fleet
COPY dashboards /app/dashboards
COPY deploy/grafana/dashboards /app/deploy/grafana/dashboards
ENV PATH=/opt/citywarden/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    CITYWARDEN_DATA=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["citywarden"]
CMD ["serve"]
