# The daemon as an image: what is built in the first stage runs in the second, as a user without
# rights, with its kernels compiled and everything but /var/lib/liqmon read-only if you like.
FROM python:3.11.14-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# Dependencies change seldom: they come first and stay in Docker's cache.
COPY deploy/image/build.lock deploy/image/runtime.lock ./
RUN pip install --require-hashes --requirement build.lock \
    && python -m venv --without-pip /opt/liqmon \
    && pip --python /opt/liqmon/bin/python install --require-hashes --requirement runtime.lock

COPY LICENSE README.md pyproject.toml ./
COPY kernels kernels
COPY monitor monitor
RUN pip wheel --no-deps --no-index --no-build-isolation --wheel-dir wheels . \
    && pip --python /opt/liqmon/bin/python install --no-deps --no-index wheels/*.whl


FROM python:3.11.14-slim-bookworm

LABEL org.opencontainers.image.title="liquidation-monitor" \
      org.opencontainers.image.description="Streaming detector of liquidation cascades" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"

RUN groupadd --gid 10001 liqmon \
    && useradd --uid 10001 --gid liqmon --no-create-home --home-dir /var/lib/liqmon \
        --shell /usr/sbin/nologin liqmon \
    && install --directory --owner=liqmon --group=liqmon /var/lib/liqmon /var/cache/liqmon

COPY --from=build /opt/liqmon /opt/liqmon

# A generic processor: code compiled here is found in the cache on any other machine, too, and
# gives the same bits there. Inside of a container the loopback reaches nobody, so /metrics is
# served on all of its addresses; who may come in is for whoever publishes the port.
ENV PATH=/opt/liqmon/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/var/cache/liqmon \
    NUMBA_CPU_NAME=generic \
    LIQMON_HTTP__HOST=0.0.0.0 \
    LIQMON_LOG__FORMAT=json \
    LIQMON_STATE__PATH=/var/lib/liqmon/liqmon.state

USER 10001:10001
WORKDIR /var/lib/liqmon

# Importing a kernel compiles it into the cache.
RUN python -c "import importlib, pkgutil, kernels; \
    [importlib.import_module(f'kernels.{file.name}') for file in pkgutil.iter_modules(kernels.__path__)]"

VOLUME ["/var/lib/liqmon"]
EXPOSE 9108
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["liqmon", "healthcheck"]

ENTRYPOINT ["liqmon"]
CMD ["run"]
