# Hanabi's image: the binary with its console, and nothing else: no shell, no package manager.
#
#     docker build -t hanabi .
#
# The bases are arguments, so that a registry of one's own or an imported image can stand for them.
# `--target prebuilt` packs a binary that was built before, from the folder that PREBUILT names:
# `hanabi`, and an empty `data` (see docs/install.md).

ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm
ARG NODE_IMAGE=docker.io/library/node:22-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:latest

FROM ${RUNTIME_IMAGE} AS runtime
# Published ports reach no loopback address, so it listens on all; then the service starts only with
# authentication, and only with TLS or where somebody says in words that a proxy in front has it.
ENV HANABI_SERVER_LISTEN=0.0.0.0:8000 \
    HANABI_SERVER_DATA_DIR=/var/lib/hanabi \
    HANABI_AUTH_MODE=required
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/hanabi", "health"]
ENTRYPOINT ["/usr/local/bin/hanabi"]
CMD ["run"]

FROM runtime AS prebuilt
ARG PREBUILT=prebuilt
COPY ${PREBUILT}/hanabi /usr/local/bin/hanabi
# A volume begins as a copy of what is there, owner and mode included.
COPY --chown=65532:65532 ${PREBUILT}/data /var/lib/hanabi
VOLUME /var/lib/hanabi
USER 65532:65532

FROM ${NODE_IMAGE} AS console
WORKDIR /src/console
COPY console/package.json console/package-lock.json console/.npmrc ./
RUN npm ci --no-progress
COPY docs/interfaces/openapi.yaml /src/docs/interfaces/openapi.yaml
COPY console ./
RUN npm run --silent gen:api && npm run --silent build

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
COPY --from=console /src/console/dist console/dist
ARG FEATURES=""
RUN cargo build --release --locked --bin hanabi --features "${FEATURES}" \
    && install -D target/release/hanabi /out/hanabi \
    && strip /out/hanabi \
    && mkdir /out/data

FROM runtime
COPY --from=build /out/hanabi /usr/local/bin/hanabi
COPY --from=build --chown=65532:65532 /out/data /var/lib/hanabi
VOLUME /var/lib/hanabi
USER 65532:65532
