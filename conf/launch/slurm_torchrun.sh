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
# A requeued job goes on from its last checkpoint. Since SLURM 22.05 srun no longer takes --cpus-per-task from the job.
set -euo pipefail

head_node=$(hostname) # this script runs on the first node
gpus=${SLURM_GPUS_ON_NODE:-1}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((SLURM_CPUS_PER_TASK / gpus))}

srun --cpus-per-task "$SLURM_CPUS_PER_TASK" torchrun \
    --nnodes "$SLURM_JOB_NUM_NODES" \
    --nproc_per_node "$gpus" \
    --rdzv_id "$SLURM_JOB_ID" \
    --rdzv_backend c10d \
    --rdzv_endpoint "$head_node:$((20000 + SLURM_JOB_ID % 10000))" \
    --max_restarts 1 \
    "$(command -v tg-train)" "$@"
