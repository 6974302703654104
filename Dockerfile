# fraction-mcp over stdio, for hosts that start their servers as containers:
#   docker build -t fraction-mcp .
#   docker run -i --rm -v fraction-mcp:/state fraction-mcp serve --sandbox
# Accounts come from the environment, secrets better from a mounted file (FRACTION_PASSWORD_FILE). There is no browser
# in it: writes that wait are decided with `docker run -it --rm -v fraction-mcp:/state fraction-mcp approve ID`.

FROM python:3.13-slim AS built
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python -m venv /app
# requirements-team.lock has what a journal on PostgreSQL needs as well (compose.yaml).
ARG LOCK=requirements.lock
COPY ${LOCK} ./
RUN /app/bin/python -m pip install --require-hashes -r ${LOCK}
COPY pyproject.toml README.md LICENSE ./
COPY fraction_mcp ./fraction_mcp
RUN /app/bin/python -m pip install --no-deps --no-build-isolation . \
 && /app/bin/python -m pip uninstall -y hatchling editables pip

FROM python:3.13-slim
LABEL io.modelcontextprotocol.server.name="io.github.fraction-mcp/fraction-mcp" \
      org.opencontainers.image.title="fraction-mcp" \
      org.opencontainers.image.licenses="MIT"
COPY --from=built /app /app
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin fraction \
 && install -d -o fraction -g fraction -m 0700 /state
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 FRACTION_MCP_STATE_DIR=/state FRACTION_MCP_OPEN_INBOX=false
USER 10001
WORKDIR /state
VOLUME /state
ENTRYPOINT ["fraction-mcp"]
CMD ["serve"]
