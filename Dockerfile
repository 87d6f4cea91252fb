# syntax=docker/dockerfile:1
# The service with its embedded student, on CPUs or with Hugging Face on a GPU. vLLM has docker/vllm.Dockerfile.
#
#   docker build -t recolor:0.1.0 .
#   docker build -t recolor:0.1.0-cuda --build-arg TORCH_INDEX=https://pypi.org/simple .
#   docker run --rm -p 8000:8000 -e RECOLOR_API_KEYS=secret --read-only --tmpfs /tmp recolor:0.1.0

FROM python:3.11.13-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/recolor
ENV PATH=/opt/recolor/bin:$PATH
# The largest part, and the one that changes least.
COPY docker/constraints.txt docker/
RUN pip install --index-url "$TORCH_INDEX" "$(grep '^torch==' docker/constraints.txt)"
COPY pyproject.toml README.md LICENSE NOTICE ./
# Parts of the package are links to these.
COPY helm/files/canary.yaml helm/files/rules.yaml helm/files/
COPY app app
RUN pip install --constraint docker/constraints.txt --only-binary :all: '.[postgres,traces]'

FROM python:3.11.13-slim-bookworm
ARG REVISION=unknown
LABEL org.opencontainers.image.title="recolor" \
      org.opencontainers.image.description="A typed look in, the settings of three editing tools out." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0"
# Events that wait for PostgreSQL, or SQLite's file: besides /tmp the only place that is written to.
RUN useradd --uid 10001 --user-group --no-create-home recolor \
 && install --directory --owner=10001 --group=10001 /events
COPY --from=build /opt/recolor /opt/recolor
COPY model_store/students/recolor-mini /model_store/students/recolor-mini
ENV PATH=/opt/recolor/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    RECOLOR_HOST=0.0.0.0 \
    RECOLOR_PORT=8000 \
    RECOLOR_MODEL_STORE=/model_store \
    RECOLOR_EVENTS_FOLDER=/events
VOLUME /events
EXPOSE 8000
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['RECOLOR_PORT'] + '/readyz')"]
ENTRYPOINT ["recolor"]
CMD ["serve"]
