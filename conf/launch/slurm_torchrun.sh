#!/usr/bin/env bash
#SBATCH --job-name=tg-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gres=gpu:4
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
# Multi-node training: one torchrun on each node, which meet at the first one. Change the lines above to your site, then
#   sbatch conf/launch/slurm_torchrun.sh prep/ --preset nt500m-led --stage trunk --accumulate 32 --outdir model/
# A requeued job goes on from its last checkpoint.
set -euo pipefail

head_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
gpus=${SLURM_GPUS_ON_NODE:-1}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((SLURM_CPUS_PER_TASK / gpus))}

srun torchrun \
    --nnodes "$SLURM_JOB_NUM_NODES" \
    --nproc_per_node "$gpus" \
    --rdzv_id "$SLURM_JOB_ID" \
    --rdzv_backend c10d \
    --rdzv_endpoint "$head_node:29500" \
    --max_restarts 1 \
    "$(command -v tg-train)" "$@"
