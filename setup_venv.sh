#!/bin/sh
# Makes .venv inside the checkout, or leaves it alone when it was made from the same files. The stamp is a hash of their
# contents and is written last, so that an installation that was cut off is started anew and never looks finished.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}

stamp=$(cat pyproject.toml requirements/*.txt setup_venv.sh installation/__main__.py | sha256sum | cut -d' ' -f1)
if [ "$(cat .venv/florenz-stamp 2>/dev/null)" = "$stamp" ] && [ -x .venv/bin/python ]; then
    exit 0
fi
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
    echo "florenz: $python is missing, or none of Python 3.11 to 3.13: install one of them, or name it with PYTHON=..." >&2
    exit 2
fi
exec "$python" -m installation "$stamp"
