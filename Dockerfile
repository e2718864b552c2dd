# Two stages: the first turns the locked requirements and this tree into wheels, the second installs nothing but those.

FROM python:3.12-slim AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt requirements-dev.txt ./
RUN python -m pip wheel --require-hashes --only-binary :all: --wheel-dir /wheels -r requirements.txt
# What builds our own wheel is locked as well: among the tools for development.
RUN python -m pip install --require-hashes --only-binary :all: -r requirements-dev.txt
COPY pyproject.toml README.md ./
COPY domain domain
COPY projections projections
COPY ledger ledger
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.12-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    python -m pip install --disable-pip-version-check --no-cache-dir --no-index --no-deps /wheels/*.whl
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin custody \
    && install --directory --owner custody --group custody --mode 0700 /data
# The database's address is not set here: a variable would win over the secret's file. The default is custody.db in /data.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CUSTODY_HOST=0.0.0.0 CUSTODY_PORT=8000
USER custody
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=8s --start-period=30s --retries=3 CMD ["custody", "healthcheck"]
ENTRYPOINT ["custody"]
CMD ["serve"]
