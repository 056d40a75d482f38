#!/usr/bin/env bash
# The smallest complete run on folders: labelled photos -> dataset -> model -> scores -> masks.
# Usage: examples/folders.sh [WORK_FOLDER]     (default: a temporary folder, removed at the end)
set -euo pipefail
terrapin=${TERRAPIN:-$(cd "$(dirname "$0")/.." && pwd)/build/terrapin}
if [ $# -gt 0 ]; then work=$1; mkdir -p "$work"; else work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; fi
cd "$work"

# Any photos/ beside masks/ would do; here 16 generated scenes, laid out as a Ground Truth job leaves them.
"$terrapin" scenes scenes --count 16 --size 160x120 --classes 3 --seed 1

"$terrapin" transform scenes/labelscenes/manifests/output/output.manifest --s3-root scenes=scenes \
  --output dataset --train-fraction 0.75 --seed 1 --quiet
"$terrapin" train --data dataset --output run --quiet \
  -H epochs=2 -H base_size=160 -H crop_size=120 -H mini_batch_size=4
"$terrapin" evaluate --model run/model.tar.gz --data dataset
"$terrapin" predict --model run/model.tar.gz --output masks --quiet dataset/validation
ls masks
