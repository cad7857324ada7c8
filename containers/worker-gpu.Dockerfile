# Workers of the steps that ask a model: caption, translate, score. From the folder of the checkout:
#
#   docker build -f containers/worker-gpu.Dockerfile -t REGION-docker.pkg.dev/PROJECT/florenz/worker-gpu:0.1.0 .
#
# Weights are fetched from the hub by each worker machine, or lie inside: put them into containers/models/ before the build
# (`huggingface-cli download NAME --local-dir containers/models/NAME`) and name them in the recipe by their path in the image,
# /opt/models/NAME, which the launcher must have too: it makes the ledger's fingerprint of them.
# CUDA's libraries come with torch's wheels; the driver is the machine's (install-nvidia-driver of the accelerator).
ARG PYTHON=3.11
ARG BEAM=2.77.0
FROM apache/beam_python${PYTHON}_sdk:${BEAM} AS beam

FROM python:${PYTHON}-slim-bookworm
# gcc: Triton, which vLLM uses, compiles a small launcher on first use.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates libnuma1 gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/florenz

# What changes seldom comes first. The same two steps as setup_venv.sh: torch by version, all else by the lock's checksums.
COPY requirements requirements
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes --requirement requirements/uv.txt
ENV PATH=/opt/venv/bin:/opt/uv/bin:$PATH UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 VIRTUAL_ENV=/opt/venv
RUN uv venv --python "$(command -v python3)" /opt/venv \
    && uv pip install --requirement requirements/torch.txt --constraints requirements/gpu.txt \
    && uv pip install --compile-bytecode --no-deps --require-hashes --no-build-isolation-package=google-apitools \
       --requirement requirements/gpu.txt

COPY . .
RUN uv pip install --no-deps --no-build-isolation . && mkdir -p /opt/models containers/models \
    && find containers/models -mindepth 1 -maxdepth 1 -exec mv {} /opt/models/ \;

# Beam's starter; it runs `python` of the PATH, and makes no environment of its own.
COPY --from=beam /opt/apache/beam /opt/apache/beam
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENTRYPOINT ["/opt/apache/beam/boot"]
