#!/usr/bin/env bash
# The smallest complete run under SageMaker's container contracts: what a training job and an endpoint do with /opt/ml, on one machine.
# Usage: examples/container.sh [ROOT]     (stands for /opt/ml; default: a temporary folder, removed at the end)
set -euo pipefail
terrapin=${TERRAPIN:-$(cd "$(dirname "$0")/.." && pwd)/build/terrapin}
if [ $# -gt 0 ]; then root=$1; mkdir -p "$root"; else root=$(mktemp -d); trap 'rm -rf "$root"' EXIT; fi

# A training job's input: channels, and hyperparameters as strings.
"$terrapin" scenes "$root/scenes" --count 16 --size 160x120 --classes 3 --seed 1
"$terrapin" transform "$root/scenes/labelscenes/manifests/output/output.manifest" --s3-root "scenes=$root/scenes" \
  --output "$root/input/data" --train-fraction 0.75 --seed 1 --quiet
mkdir -p "$root/input/config"
cat > "$root/input/config/hyperparameters.json" <<'JSON'
{"backbone": "mobilenet-v2", "algorithm": "lite", "num_classes": "3", "num_training_samples": "12",
 "epochs": "2", "base_size": "160", "crop_size": "120", "mini_batch_size": "4"}
JSON
"$terrapin" train --container --root "$root"
[ ! -e "$root/output/failure" ]

# An endpoint's container serves the model folder that the job left.
"$terrapin" host --root "$root" --listen 127.0.0.1 --port 0 > "$root/host.log" 2>&1 &
host=$!
trap 'kill $host 2> /dev/null || true; [ $# -gt 0 ] || rm -rf "$root"' EXIT
for _ in $(seq 100); do
  url=$(grep -o 'http://[0-9.:]*' "$root/host.log" | head -n 1) && curl -sf "$url/ping" && break
  sleep 0.1
done
photo=$(find "$root/input/data/validation" -type f | sort | head -n 1)
curl -sSf "$url/invocations" -H 'Content-Type: image/jpeg' -H 'Accept: image/png' --data-binary "@$photo" -o "$root/mask.png"
# A PNG begins with its signature, then a header chunk with width and height: those of the photos, 160 x 120.
header=$(od -An -v -tx1 -N24 "$root/mask.png" | tr -d ' \n')
[ "$header" = "89504e470d0a1a0a0000000d49484452$(printf '%08x%08x' 160 120)" ] || { echo "the answer is not a PNG of 160 x 120: $header" >&2; exit 1; }
echo "PNG mask of $(basename "$photo"), 160 x 120: $(wc -c < "$root/mask.png") bytes"
kill "$host"
wait "$host"
