# syntax=docker/dockerfile:1
# The service with vLLM on a GPU. The student, gigabytes, lies on a volume at /model_store (folder `students/`).
#
#   docker build -t recolor-vllm:0.1.0 -f docker/vllm.Dockerfile .
#   docker run --rm --gpus all -p 8000:8000 -e RECOLOR_API_KEYS=secret -e RECOLOR_MODEL=llama-2-7b-chat@1 \
#     -v /srv/models:/model_store:ro --shm-size 4g --read-only --tmpfs /tmp:exec recolor-vllm:0.1.0

FROM python:3.11.13-slim-bookworm AS build
ARG VLLM=0.32.0
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/recolor
ENV PATH=/opt/recolor/bin:$PATH
# The largest part, and the one that changes least. vLLM pins what it was built with, PyTorch and CUDA among it.
RUN pip install --only-binary :all: "vllm==$VLLM"
COPY pyproject.toml README.md LICENSE NOTICE ./
# Parts of the package are links to these.
COPY helm/files/canary.yaml helm/files/rules.yaml helm/files/
COPY app app
# hadolint ignore=DL3013
RUN pip install --only-binary :all: '.[vllm,postgres,traces]' "vllm==$VLLM"

FROM python:3.11.13-slim-bookworm
ARG REVISION=unknown
LABEL org.opencontainers.image.title="recolor-vllm" \
      org.opencontainers.image.description="A typed look in, the settings of three editing tools out; students served by vLLM." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0"
# Triton compiles its launchers when the engine starts. Debian's stable keeps the compiler's version by itself.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home recolor \
 && install --directory --owner=10001 --group=10001 /events
COPY --from=build /opt/recolor /opt/recolor
ENV PATH=/opt/recolor/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    RECOLOR_HOST=0.0.0.0 \
    RECOLOR_PORT=8000 \
    RECOLOR_BACKEND=vllm \
    RECOLOR_MODEL_STORE=/model_store \
    RECOLOR_EVENTS_FOLDER=/events
VOLUME ["/events", "/model_store"]
EXPOSE 8000
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=900s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['RECOLOR_PORT'] + '/readyz')"]
ENTRYPOINT ["recolor"]
CMD ["serve"]
