#!/usr/bin/env bash
# The paper's experiments on VCTK, stage by stage: from the corpus to a page with every number of it.
#
#   recipes/vctk/run.sh [--corpus VCTK-Corpus-0.92] [--conf paper-25hz] [--ngpu 1] [--nj 8] [--stage N] [--stop-stage N]
#   recipes/vctk/run.sh --config conf/quick.conf [--corpus VCTK-Corpus-0.92]       # all stages in minutes, on a CPU
#
# Stages:
#   0  the corpus: VCTK 0.92, 11 GB, downloaded to --corpus, unless it is there
#   1  data directories: train, dev, test, split by utterance, speakers shared
#   2  phones of train and test, by forced alignment
#   3  pack: one file to train from
#   4  train
#   5  encode train, dev and test
#   6  phoneme report: the map from codes to phones learnt on train, scored on test
#   7  conversion report, with the metrics that are installed
#   8  prior over the codes of train, and what it says by itself
#   9  RESULTS.md: every number of the run, and the paper's beside it
#
# Options:
#   --conf NAME|FILE  paper-25hz (phonemes), paper-64x (conversion; wants a GPU), units-50hz (a unit model without voices:
#                     stages 7 and 8 are left out), or a YAML file like those in conf/
#   --corpus DIR      where VCTK 0.92 is, or is to be downloaded to (recipes/vctk/downloads/VCTK-Corpus-0.92)
#   --speakers A,B    these speakers alone (all)
#   --data DIR        data directories and packs, which all runs share (recipes/vctk/data)
#   --exp DIR         experiments, one folder per tag (recipes/vctk/exp)
#   --tag NAME        of this run (the name of --conf)
#   --changes "K=V"   changes to the numbers of --conf, such as "training.steps=9000 training.batch=16"
#   --perturbed-copies N     speaker-perturbed copies of each utterance, as encoder input (2; paper-64x needs 0)
#   --pairs N         to convert and evaluate (48)
#   --metrics "..."    of them: similarity words quality pitch cepstra (all)
#   --whisper PATH    Whisper model for the word errors (none: pocketsphinx)
#   --prior NAME|FILE preset of the prior (paper: a WaveNet over the codes)
#   --prior-changes   changes to its numbers, as --changes
#   --samples N       of the prior, to measure (20); --seconds S of each (5)
#   --nj N            jobs side by side (4)
#   --ngpu N          GPUs to train on; 0 is the CPU (0)
#   --config FILE     file of options, which those on the command line go over
#
# A run that was stopped goes on where it was when it is started again; what is done and still holds is not done again.
# Where jobs run, here or through Slurm, is said in cmd.sh. How all this works: recipes/README.md.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=0
stop_stage=9
conf=paper-25hz
corpus=$recipe/downloads/VCTK-Corpus-0.92
speakers=
data=$recipe/data
exp=$recipe/exp
tag=
changes=
perturbed_copies=2
pairs=48
metrics="similarity words quality pitch cepstra"
whisper=
prior=paper
prior_changes=
samples=20
seconds=5
nj=4
ngpu=0
. parse_options.sh
. stages.sh
absolute corpus data exp whisper

model=$(config_file "$recipe/conf" "$conf")
trainer=train
reports=(phonemes conversion prior/report)
if units_only "$model"; then
  trainer=train-units reports=(phonemes) perturbed_copies=0
fi
exp=$exp/${tag:-$(basename "$model" .yaml)}
url=https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip
checksum=sha256:f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c

marks=$data
if begin_stage 0 "corpus in $corpus" updates "$corpus"; then
  vqspeech fetch "$url" --checksum "$checksum" --out "$corpus.zip" --unpack "$corpus"
  end_stage
fi

if begin_stage 1 "data directories in $data" reads "$corpus" makes "$data"/{train,dev,test}; then
  vqspeech prepare vctk "$corpus" "$data" ${speakers:+--speakers "$speakers"}
  vqspeech validate "$data"/{train,dev,test}
  end_stage
fi

if begin_stage 2 "phones" reads "$data"/{train,test}/{wav.scp,text} makes "$data"/{train,test}/phones.ctm; then
  for part in train test; do
    align_data "$part"
    vqspeech validate "$data/$part"
  done
  end_stage
fi

if begin_stage 3 "packs" reads "$data"/{train,dev}/{wav.scp,utt2spk} makes "$data"/{train,dev}.pack; then
  pack_data train --perturbed-copies "$perturbed_copies"
  pack_data dev
  end_stage
fi

best=$exp/checkpoints/best/model.safetensors
marks=$exp
if begin_stage 4 "train $conf in $exp" reads "$data"/{train,dev}.pack "$model" \
  guards "$exp"/checkpoints/{last.pt,best}; then
  train_model "$trainer"
  end_stage
fi

if begin_stage 5 "encode" reads "$best" "$data"/{train,dev,test}/wav.scp \
  makes "$exp"/codes/{train,dev,test}.txt; then
  for part in train dev test; do
    encode_data "$part" --model "$exp"
  done
  end_stage
fi

if begin_stage 6 "phoneme report" reads "$exp"/codes/{train,test}.txt "$data"/{train,test}/phones.ctm \
  makes "$exp/phonemes/RESULTS.json"; then
  asked=(evaluate phonemes --codes "$exp/codes/test.txt" --phones "$data/test/phones.ctm" --data "$data/test"
    --train-codes "$exp/codes/train.txt" --train-phones "$data/train/phones.ctm" --train-data "$data/train"
    --codebook "$exp" --title "Phonemes, $(basename "$exp")" --mfccs "$work/mfccs" --out "$exp/phonemes")
  $cmd JOB=1:"$nj" --done "$work/JOB" "$exp/log/phonemes.JOB.log" vqspeech "${asked[@]}" --shard JOB/"$nj"
  vqspeech "${asked[@]}"
  end_stage
fi

if [[ $trainer == train ]] && begin_stage 7 "conversion report" reads "$best" "$data"/{train,test}/wav.scp \
  makes "$exp"/conversion/{wav,RESULTS.json}; then
  evaluate_speech conversion ${whisper:+--whisper "$whisper"}
  end_stage
fi

if [[ $trainer == train ]] && begin_stage 8 "prior" reads "$exp"/codes/{train,dev,test}.txt \
  makes "$exp/prior" "$exp/prior/report/RESULTS.json"; then
  train_prior
  sample_prior 2 "$exp/prior/samples"
  evaluate_prior "$exp/prior/report" --speak ${whisper:+--whisper "$whisper"}
  end_stage
fi

results=("${reports[@]/#/$exp/}")
if begin_stage 9 "results" reads "${results[@]/%//RESULTS.json}" \
  makes "$exp/RESULTS.md"; then
  vqspeech results "$exp" --title "VCTK, $(basename "$exp")"
  end_stage
fi

if ((stop_stage >= 9)); then
  echo
  echo "Results: $exp/RESULTS.md; beside it report.html in each of: ${reports[*]}"
fi
