# Partita with what its targets and networks need.
#
#   docker build -t partita .
#   docker run --rm -v "$PWD/runs:/runs" partita run --runs-dir /runs
#   docker run --rm -v "$PWD/runs:/runs" -v "$PWD/nightly.toml:/nightly.toml:ro" partita matrix /nightly.toml --dir /runs/night
#
# Nothing privileged is needed: links are then cut by forwarders on loopback. For network namespaces, and for clocks that
# are bent: --cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add SYS_PTRACE --security-opt apparmor=unconfined
# --security-opt seccomp=unconfined, as root within (`--user root`). For faults of disks also --device /dev/fuse.
# `docker run --rm partita doctor` says what is allowed.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends etcd-server iproute2 iptables \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home partita && mkdir /runs && chown partita /runs
COPY --from=build /src/target/release/partita /usr/local/bin/partita
USER partita
WORKDIR /home/partita
ENTRYPOINT ["partita"]
CMD ["run", "--runs-dir", "/runs"]
