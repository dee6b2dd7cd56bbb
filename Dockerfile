# syntax=docker/dockerfile:1
# Build:  docker build -t contextsvc .
# Run:    docker run -p 8000:8000 -v "$PWD/indexes:/indexes:ro" contextsvc
# torch's default wheel brings CUDA. Give an index of CPU wheels to leave it out (2 GB instead of 8):
#         docker build --build-arg PIP_EXTRA_INDEX_URL=... -t contextsvc .

FROM python:3.11-slim AS build
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL} PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY pyproject.toml constraints.txt README.md ./
COPY contextsvc ./contextsvc
RUN python -m venv /opt/contextsvc
RUN /opt/contextsvc/bin/pip install -c constraints.txt '.[html,gguf,report,endpoint]'
ENV CONTEXTSVC_HOME=/opt/assets
RUN /opt/contextsvc/bin/contextsvc assets pull

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 contextsvc && mkdir /indexes && chown contextsvc /indexes
COPY --from=build /opt/contextsvc /opt/contextsvc
COPY --from=build --chown=contextsvc /opt/assets /opt/assets
ENV PATH=/opt/contextsvc/bin:$PATH \
    CONTEXTSVC_HOME=/opt/assets \
    CONTEXTSVC_ROOT=/indexes \
    CONTEXTSVC_HOST=0.0.0.0
USER contextsvc
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["contextsvc", "serve"]
