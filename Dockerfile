# The server with all that it needs, for Kubernetes; docs/kubernetes.md says how it is used.
#
#   docker build --target hello -t REGISTRY/automagik-hello:0.1.0 .            head and gateways
#   docker build --target hello-cuda -t REGISTRY/automagik-hello:0.1.0-cuda .  LocalWhisper on GPUs
#
# No step installs a Debian package: wheels bring their own libraries, HAProxy among them.

FROM python:3.11-slim-bookworm AS build
ENV PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# All that is locked, checked by its hashes. What only developers need stays in this stage. docopt is a source package.
COPY requirements.lock smart-turn.lock ./
RUN pip wheel --no-cache-dir --no-deps --require-hashes --use-pep517 --wheel-dir wheels \
    -r requirements.lock -r smart-turn.lock
COPY pyproject.toml README.md LICENSE ./
COPY serve_app serve_app
COPY deployments deployments
# From here on no index is asked. Only smart-turn's model is used of pipecat-ai, so its packages stay away.
# hadolint ignore=DL3013
RUN pip wheel --no-cache-dir --no-deps --no-index --find-links wheels --wheel-dir wheels . \
    && python3.11 -m venv /opt/hello \
    && /opt/hello/bin/pip install --no-cache-dir --no-index --find-links wheels "automagik-hello[voice,piper]" \
    && /opt/hello/bin/pip install --no-cache-dir --no-index --find-links wheels --no-deps pipecat-ai

FROM python:3.11-slim-bookworm AS hello
# Nothing here needs root: HAProxy binds 8000, and all that is written is in /tmp or in this folder, a volume.
RUN useradd --uid 1000 --create-home hello && install --directory --owner=hello --group=hello /var/lib/hello
COPY --from=build /opt/hello /opt/hello
WORKDIR /srv/hello
COPY configs configs
ENV PATH=/opt/hello/bin:$PATH \
    AGENTS_DIR=/srv/hello/configs/agents \
    DATA_DIR=/var/lib/hello \
    JOURNAL_DIR=/var/lib/hello/journal \
    RECORDINGS_DIR=/var/lib/hello/recordings \
    HF_HOME=/var/lib/hello/models
# A number, so that Kubernetes can see that it is not root.
USER 1000:1000

# CTranslate2 brings its kernels, but not cuBLAS; the driver is the node's.
FROM hello AS hello-cuda
USER 0:0
RUN pip install --no-cache-dir --no-deps --require-hashes -r configs/aws/gpu.lock
ENV LD_LIBRARY_PATH=/opt/hello/lib/python3.11/site-packages/nvidia/cublas/lib
USER 1000:1000
