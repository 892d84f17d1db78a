#!/usr/bin/env bash
# Installs the engines Tessera is measured against into a virtual environment and prints its python.
# Usage: Benchmarks/peers/setup.sh   ($TESSERA_PEERS overrules ~/.tessera-peers)
set -euo pipefail
env_dir="${TESSERA_PEERS:-$HOME/.tessera-peers}"
if [ ! -x "$env_dir/bin/python" ] || ! "$env_dir/bin/python" -c 'import torch, torchvision, onnxruntime, openvino, onnx, safetensors' 2>/dev/null; then
  python3 -m venv "$env_dir" >&2
  "$env_dir/bin/pip" install -q 'torch==2.15.*' torchvision 'onnxruntime==1.32.*' 'openvino==2026.4.*' 'onnx==1.23.*' onnxscript numpy 'safetensors==0.8.*' >&2
fi
echo "$env_dir/bin/python"
