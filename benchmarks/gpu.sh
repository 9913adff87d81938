#!/usr/bin/env bash
# Runs the benchmarks of speed once on a GPU, in under ten minutes, and leaves their CSVs.
#
#     benchmarks/gpu.sh OUT [DATA]
#
# OUT is the folder of the CSVs; DATA a folder of datasets with photos/, skin/ and weights/
# (../shared where it is there). With TABLES=1 the photographs' and the skin lesions' tables at
# 224 px follow, all modes and five seeds: these take hours. DEVICE=cpu tries the script elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?the folder for the CSVs}
data=${2:-../shared}
device=${DEVICE:-cuda}
mkdir -p "$out"

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

if [ "$device" = cpu ]; then
  steps="harbournet:32:4"; audits="harbournet:32:160"; erased="harbournet:32:160"
  maps="--image-size 64 --images 2"; counts="200"; trained="--trained 96 --images 96"
  sizes="64"; turns=1
else
  steps="harbournet:64:256 mobilenet_v2:224:64 resnet18:224:64 resnet50:224:32 vgg16:224:16"
  audits="harbournet:64:6400 mobilenet_v2:224:1024 resnet18:224:1024"; erased="resnet18:224:2048"
  maps="--image-size 224 --images 32"; counts="1000 10000"; trained="--trained 640"
  sizes="224"; turns=5
fi

# The lists above are split at their spaces.
# shellcheck disable=SC2086
{
  say "a training step of each mode"
  python -m benchmarks.train_step --device "$device" --turns "$turns" --cases $steps \
    --out "$out/train_step.csv"
  if [ "$device" != cpu ]; then
    say "a compiled step"
    python -m benchmarks.compiled_step --device "$device" --turns "$turns" \
      --cases mobilenet_v2:224:64 resnet50:224:32 --out "$out/compiled_step.csv"
  fi
  say "attention maps"
  python -m benchmarks.attention --device "$device" --turns "$turns" $maps --out "$out/attention.csv"
  say "an evaluation"
  python -m benchmarks.evaluate --device "$device" --turns "$turns" --cases $audits \
    --faithfulness $erased --out "$out/evaluate.csv"
  if [ -d "$data/photos" ]; then
    say "images from the disk"
    python -m benchmarks.pipeline --device "$device" --turns 1 --data "$data/photos" $trained \
      --image-size $sizes --workers 0 2 8 --batch-size 32 --out "$out/pipeline.csv"
  fi
  say "many images"
  python -m benchmarks.scale --images $counts --out "$out/scale.csv"
}
say "the benchmarks of speed are done"

if [ "${TABLES:-0}" = 1 ]; then
  say "photographs at 224 px"
  python -m benchmarks.modes --out "$out/photos_224.csv" --data "$data/photos" \
    --backbone mobilenet_v2 --image-size 224 --seeds 0,1,2,3,4 \
    --weights "$data/weights/mobilenet_v2_imagenet.safetensors" \
    --set "training.device=\"$device\"" --set training.batch_size=64 \
    --modes baseline,gain,gain_ext:9,gain_ext:23,gain_ext:78,evidence:78,edited:78,counterfactual:9,counterfactual:23,counterfactual:78,energy:78,rrr:78,upweight,last_layer
  say "skin lesions at 224 px"
  python -m benchmarks.modes --out "$out/skin_224.csv" --data "$data/skin" \
    --backbone mobilenet_v2 --image-size 224 --seeds 0,1,2,3,4 \
    --weights "$data/weights/mobilenet_v2_imagenet.safetensors" \
    --set "training.device=\"$device\"" --set training.batch_size=64 \
    --modes baseline,gain,gain_ext:78,evidence:78,counterfactual:78,upweight,last_layer
fi
