"""One process or many: device, precision, gradient exchange and sharded states of a run.

In: a `Config` and what torchrun, `accelerate launch` or srun left in the environment. Out: an `Accelerator`.
A surprise: accelerate ignores a DeepSpeed plugin when it is told `cpu=True`, and without a backend it takes every
process for the only one; so DeepSpeed on a CPU is started with the gloo backend and without that flag.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, InitProcessGroupKwargs, KwargsHandler
from torch import Tensor, nn

from transgenic_tools.errors import BadInputError, MissingInputError, TransgenicError, UsageError
from transgenic_tools.io.json_text import read_object
from transgenic_tools.train.config import Config


def world_size() -> int:
    """Processes of this run, as its launcher says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_leader() -> bool:
    """The process that writes what all have computed."""
    return int(os.environ.get("RANK", "0")) == 0


def is_set(name: str) -> bool:
    """A switch of accelerate in the environment."""
    return os.environ.get(name, "false").lower() in ("1", "true", "yes")


def read_zero(path: Path) -> dict[str, Any]:
    """A DeepSpeed configuration.

    Raises:
        MissingInputError, BadInputError: there is none, or it is no JSON object.
    """
    hint = "conf/deepspeed/zero2.json of the repository is one"
    if not path.exists():
        raise MissingInputError("no such DeepSpeed configuration", path=path, hint=hint)
    settings = read_object(path, hint=hint)
    if not isinstance(settings.get("zero_optimization", {}), dict):
        raise BadInputError("the JSON is no object of settings", path=path, hint=hint)
    return settings


def zero_stage(settings: Mapping[str, Any]) -> int:
    """0 where nothing is shared out."""
    return int(settings.get("zero_optimization", {}).get("stage", 0))


def _zero_settings(config: Config) -> dict[str, Any]:
    """DeepSpeed's settings, with what the run itself decides.

    Raises:
        MissingInputError, BadInputError: as `read_zero`.
        UsageError: the run asks for what ZeRO cannot do.
    """
    assert config.deepspeed is not None
    settings = read_zero(config.deepspeed)
    stage = zero_stage(settings)
    if config.optimizer != "adamw":
        raise UsageError(f"--optimizer {config.optimizer} with --deepspeed", hint="DeepSpeed steps one: take adamw")
    if config.ema > 0 and stage == 3:
        raise UsageError(
            f"averaged weights (--ema {config.ema}) with ZeRO 3", hint="give --ema 0: weights lie on many processes"
        )
    return settings | {
        "gradient_accumulation_steps": config.accumulate // world_size(),
        "train_micro_batch_size_per_gpu": 1,
        "gradient_clipping": config.clip,
        # as without DeepSpeed: weights in fp32, computed in bf16; its own bf16 mode would round the weights
        "torch_autocast": {"enabled": config.precision == "bf16", "dtype": "bfloat16"},
    }


def make_accelerator(config: Config) -> Accelerator:
    """Device, precision, processes, DeepSpeed or FSDP of a run.

    Raises:
        UsageError: the micro-batches of a step cannot be shared out evenly, or settings exclude each other.
    """
    world = world_size()
    if config.accumulate % world:
        raise UsageError(
            f"{config.accumulate} micro-batches a step for {world} processes",
            hint=f"--accumulate {world} or a multiple",
        )
    if config.ema > 0 and is_set("ACCELERATE_USE_FSDP"):
        raise UsageError(f"averaged weights (--ema {config.ema}) with FSDP", hint="give --ema 0: weights are sharded")
    if config.peft != "none" and config.stage == "trunk" and (config.deepspeed or is_set("ACCELERATE_USE_FSDP")):
        raise UsageError(
            f"--peft {config.peft} with DeepSpeed or FSDP",
            hint="adapters have hardly any optimiser states to share: take torchrun or accelerate without them",
        )
    AcceleratorState._reset_state()  # stages of one recipe may differ in precision and accumulation
    precision = "bf16" if config.precision == "bf16" else "no"
    # accelerate takes every process for the only one on a machine without CUDA, unless it is told that this is meant
    cpu = config.device == "cpu" or is_set("ACCELERATE_USE_CPU") or not torch.cuda.is_available()
    steps = config.accumulate // world
    if config.deepspeed is None:
        return _of_world(Accelerator(cpu=cpu, mixed_precision=precision, gradient_accumulation_steps=steps))
    from accelerate import DeepSpeedPlugin

    handlers: list[KwargsHandler] = []
    if cpu:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
        os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
        os.environ.pop("ACCELERATE_USE_CPU", None)
        handlers.append(InitProcessGroupKwargs(backend="gloo"))
    plugin = DeepSpeedPlugin(hf_ds_config=_zero_settings(config))
    return _of_world(
        Accelerator(
            mixed_precision="no",
            deepspeed_plugin=plugin,
            gradient_accumulation_steps=steps,
            kwargs_handlers=handlers,
        )
    )


def _of_world(accelerator: Accelerator) -> Accelerator:
    """The accelerator, if it knows of all processes; else each would learn alone and overwrite the others' files.

    Raises:
        TransgenicError: it does not.
    """
    if accelerator.num_processes != world_size():
        raise TransgenicError(
            f"{world_size()} processes were started, accelerate sees {accelerator.num_processes}",
            hint="give --device cpu on machines without CUDA, or start one process",
        )
    return accelerator


def is_sharded(accelerator: Accelerator) -> bool:
    """Weights may lie in parts on several processes (DeepSpeed, FSDP)."""
    return accelerator.distributed_type in (DistributedType.DEEPSPEED, DistributedType.FSDP)


def give_dimensions(model: nn.Module) -> set[str]:
    """Numbers without a dimension become vectors of one, because they can be neither sent nor cut; their names."""
    scalars = {name: p for name, p in model.named_parameters() if p.ndim == 0}
    for parameter in scalars.values():
        parameter.data = parameter.data.view(1)
    return set(scalars)


def layer_classes(model: nn.Module) -> list[str]:
    """Classes of the repeated layers: the units that FSDP gathers and frees one by one."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    return sorted({type(layer).__name__ for layers in lists for layer in layers})


def _no_embeddings() -> None:
    return None


def prepare(accelerator: Accelerator, model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> list[Any]:
    """The model and its optimisers for this kind of run."""
    if accelerator.distributed_type == DistributedType.FSDP:
        plugin = accelerator.state.fsdp_plugin
        if plugin.transformer_cls_names_to_wrap is None:
            plugin.transformer_cls_names_to_wrap = layer_classes(model)
        for name in ("get_input_embeddings", "get_output_embeddings"):  # looked for to be kept together: there are none
            setattr(model, name, _no_embeddings)
    return list(accelerator.prepare(model, *optimizers))


def whole_state(accelerator: Accelerator, model: nn.Module, scalars: set[str]) -> dict[str, Tensor] | None:
    """All weights on the first process, gathered from the others; every process takes part. None where it is plain."""
    if not is_sharded(accelerator):
        return None
    state = accelerator.get_state_dict(model) or {}
    return {name: tensor.view(()) if name in scalars else tensor for name, tensor in state.items()}


def training_state(accelerator: Accelerator, model: nn.Module, optimizers: list[Any]) -> Any:
    """Weights and states of the optimisers as plain tensors, whole on the first process; every process takes part."""
    if accelerator.distributed_type == DistributedType.FSDP:
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

        whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
        weights, states = get_state_dict(model, [o.optimizer for o in optimizers], options=whole)
        return {"model": weights, "optimizers": states}
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        return _zero_state(model)
    return {
        "model": accelerator.unwrap_model(model).state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
    }


def set_training_state(accelerator: Accelerator, model: nn.Module, optimizers: list[Any], state: Any) -> None:
    """The opposite; every process has the whole state."""
    if accelerator.distributed_type == DistributedType.FSDP:
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

        set_state_dict(
            model,
            [o.optimizer for o in optimizers],
            model_state_dict=state["model"],
            optim_state_dict=state["optimizers"],
            options=StateDictOptions(full_state_dict=True),
        )
    elif accelerator.distributed_type == DistributedType.DEEPSPEED:
        _set_zero_state(model, state)
    else:
        accelerator.unwrap_model(model).load_state_dict(state["model"])
        for optimizer, tree in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(tree)


def _zero_state(engine: Any) -> Any:
    """DeepSpeed's parts put together, parameter by parameter; its own checkpoints are pickles."""
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

    weights, moments = {}, {}
    for name, parameter in engine.module.named_parameters():
        weights[name] = safe_get_full_fp32_param(parameter) if parameter.requires_grad else _whole_of(parameter)
        if parameter.requires_grad:
            moments[name] = {key: safe_get_full_optimizer_state(parameter, key) for key in _MOMENTS}
    steps = [value["step"] for value in engine.optimizer.optimizer.state.values() if "step" in value]
    steps += [group["step"] for group in engine.optimizer.optimizer.param_groups if "step" in group]
    return {"model": weights, "moments": moments, "steps": max((float(step) for step in steps), default=0.0)}


_MOMENTS = ("exp_avg", "exp_avg_sq")


def _whole_of(parameter: nn.Parameter) -> Tensor:
    from deepspeed.zero import GatheredParameters

    with GatheredParameters([parameter], enabled=hasattr(parameter, "ds_id")):
        return parameter.detach().clone()


def _set_zero_state(engine: Any, state: Any) -> None:
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state
    from deepspeed.zero import GatheredParameters

    for name, parameter in engine.module.named_parameters():
        if not parameter.requires_grad:
            with GatheredParameters([parameter], enabled=hasattr(parameter, "ds_id"), modifier_rank=0), torch.no_grad():
                parameter.copy_(state["model"][name])
            continue
        safe_set_full_fp32_param(parameter, state["model"][name])
        for key, value in state["moments"][name].items():
            safe_set_full_optimizer_state(parameter, value, key)
    inner = engine.optimizer.optimizer
    for holder in (*inner.state.values(), *inner.param_groups):
        if "step" in holder:
            held = holder["step"]
            holder["step"] = held.new_tensor(state["steps"]) if isinstance(held, Tensor) else type(held)(state["steps"])


def summed(accelerator: Accelerator, values: list[float]) -> list[float]:
    """Sums over all processes."""
    if accelerator.num_processes == 1:
        return values
    total = accelerator.reduce(torch.tensor(values, dtype=torch.float64, device=accelerator.device), "sum")
    return [float(value) for value in total.tolist()]


def leave() -> None:
    """Take leave of the other processes: backends that are not closed abort at the end of Python."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
