# One image for every part of the service: docker run IMAGE consume | project | show customer/4711 ...
FROM python:3.13-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock pyproject.toml ./
# uv first, as pinned; then what the service needs to run, of the lock's versions and hashes alone.
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock > uv.txt \
 && pip install --no-cache-dir --require-hashes --requirement uv.txt \
 && python -m venv --without-pip /opt/rledger \
 && uv pip install --no-cache --compile-bytecode --python /opt/rledger --require-hashes --constraints requirements.lock --requirements pyproject.toml
COPY schemas schemas
COPY ledger ledger
COPY projections projections
COPY consumers consumers
COPY service service
RUN uv pip install --no-cache --compile-bytecode --python /opt/rledger --offline --no-deps --no-build-isolation .

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data rledger && install --directory --owner rledger --group rledger /data
COPY --from=build /opt/rledger /opt/rledger
ENV PATH=/opt/rledger/bin:$PATH PYTHONUNBUFFERED=1 RLEDGER_DATA=/data RLEDGER_LOG=json
USER rledger
WORKDIR /data
VOLUME /data
# Healthy: the store answers, and positions, Kafka and the disk are as they should be; the output says what is not.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["rledger", "doctor", "--json"]
ENTRYPOINT ["rledger"]
