# Workers of the steps that ask no model: read, assemble. From the folder of the checkout:
#
#   docker build -f containers/worker-cpu.Dockerfile -t REGION-docker.pkg.dev/PROJECT/florenz/worker-cpu:0.1.0 .
#
# PYTHON is the launcher's minor version: workers with another one are refused. docs/running.md has the rest.
ARG PYTHON=3.11
ARG BEAM=2.77.0
FROM apache/beam_python${PYTHON}_sdk:${BEAM} AS beam

FROM python:${PYTHON}-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates libnuma1 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/florenz

# What changes seldom comes first. The same two steps as setup_venv.sh: torch by version, all else by the lock's checksums.
COPY requirements requirements
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes --requirement requirements/uv.txt
ENV PATH=/opt/venv/bin:/opt/uv/bin:$PATH UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 VIRTUAL_ENV=/opt/venv
RUN uv venv --python "$(command -v python3)" /opt/venv \
    && uv pip install --torch-backend=cpu --requirement requirements/torch.txt --constraints requirements/cpu.txt \
    && uv pip install --compile-bytecode --no-deps --require-hashes --no-build-isolation-package=google-apitools \
       --requirement requirements/cpu.txt

COPY . .
RUN uv pip install --no-deps --no-build-isolation .

# Beam's starter; it runs `python` of the PATH, and makes no environment of its own.
COPY --from=beam /opt/apache/beam /opt/apache/beam
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENTRYPOINT ["/opt/apache/beam/boot"]
