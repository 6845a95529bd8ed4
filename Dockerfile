# The image of Queue Tool: `docker build --tag queue-tool .`; compose.yaml starts a whole system of it.
# docs/containers.md explains it, and says how to pin the base image by its digest.
ARG BASE=python:3.11-slim-trixie

FROM ${BASE} AS build
WORKDIR /build
RUN python -m pip install --no-cache-dir 'pip>=25.3' && python -m venv --without-pip /venv
COPY pyproject.toml poetry.lock README.md LICENSE ./
COPY migrations migrations
COPY queue_tool queue_tool
# The versions of poetry.lock, as in the Makefile. pip makes the wheel, installs it, and compiles all modules: the file
# system of a container is read-only. Nothing else is compiled.
RUN python -c 'import tomllib; [print(p["name"], p["version"], sep="==") for p in tomllib.load(open("poetry.lock", "rb"))["package"]]' > constraints.txt \
    && python -m pip --python /venv/bin/python install --no-cache-dir --only-binary :all: \
    --constraint constraints.txt --build-constraint constraints.txt '.[postgres,rabbitmq]'

FROM ${BASE}
LABEL org.opencontainers.image.title="Queue Tool" \
      org.opencontainers.image.description="A self-hosted service for batches of work" \
      org.opencontainers.image.licenses="MIT"
# pg_dump and psql are for `queue-tool db backup` and `restore`. Debian keeps only the newest patch of a version, so
# the version of the package is that of the base image.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 queue-tool && useradd --uid 10001 --gid 10001 --home-dir /app --no-create-home queue-tool \
    && install --directory --owner queue-tool --group queue-tool --mode 0700 /data /app
COPY --from=build /venv /venv
# /app is for modules with task types, /data is the volume.
ENV PATH=/venv/bin:$PATH \
    QUEUE_TOOL_DATA_DIR=/data/instance \
    QUEUE_TOOL_HOST=0.0.0.0 \
    QUEUE_TOOL_PORT=5000
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s \
    CMD ["python", "-c", "import os; from http.client import HTTPConnection as C; c = C('127.0.0.1', os.environ['QUEUE_TOOL_PORT'], timeout=5); c.request('GET', '/health/live'); exit(c.getresponse().status != 200)"]
# Without a shell in between, so that SIGTERM reaches the program, which drains.
CMD ["queue-tool", "up"]
