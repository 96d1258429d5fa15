# Builds Chancery and puts its one binary on a small base.
#
#   docker build -t chancery .
#
# Both stages can be replaced: BUILDER needs cargo and a C compiler, BASE needs glibc (at least the version that
# BUILDER links against) and libgcc_s; neither a shell nor anything else is used in it. A program that is built already
# takes the place of the first stage: `--build-context build=DIR`, with build/target/dist/chancery and build/volume/data in DIR
# (scripts/release and scripts/container-test do so).
#
# By digest, so that the same commit gives the same image; renovate.json has them followed.
ARG BUILDER=rust:1.98-bookworm@sha256:e536cf316987faedfe8ae120f83b70c7df0068fdb4fc9efcce55c71a625001d5
ARG BASE=debian:bookworm-slim@sha256:abd67ffcfa541b485a3dff59865ab629aa048a6c613e639d36e7456b0b229241

FROM ${BUILDER} AS build
WORKDIR /build
COPY . .
RUN cargo build --profile dist --locked \
 && mkdir -p -m 0700 /build/volume/data

FROM ${BASE}
COPY --from=build /build/target/dist/chancery /usr/local/bin/chancery
COPY LICENSE /usr/share/doc/chancery/LICENSE
# SQLite and its master key live here. With Postgres nothing is written, and the whole file system can be read-only.
# Copied by its parent: a directory that is named itself would lose its mode.
COPY --from=build --chown=10001:10001 /build/volume/ /
ENV CHANCERY_DATA__DIRECTORY=/data \
    CHANCERY_SERVER__LISTEN=0.0.0.0:8080
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/chancery", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/chancery"]
CMD ["serve"]
