"""The network of a planned training before its first step, and what moves its weights."""

from __future__ import annotations

import torch

from biasaudit.models.backbones import build_classifier
from biasaudit.models.checkpointed import checkpointed
from biasaudit.models.classifier import Classifier
from biasaudit.training.plan import Plan


def network_of(plan: Plan) -> Classifier:
    """Build the classifier that a plan trains, with its starting weights; the caller seeds torch.

    Its layers are run as the plan's setting ``gradient_checkpointing`` says.

    Raises:
        ConfigError: Unknown backbone or module, or weights that do not exist or do not fit.
    """
    model = plan.settings.model
    built = build_classifier(
        str(model.backbone),
        len(plan.dataset.classes),
        str(model.weights),
        int(model.frozen or 0),
        str(model.batch_norm),
        softmax=plan.settings.training.loss == "softmax",
        attention_module=model.attention_module,
    )
    if plan.settings.training.gradient_checkpointing:
        built.layer_pass = checkpointed
    return built


def optimizer_of(plan: Plan, model: Classifier) -> torch.optim.AdamW:
    """Return a fresh optimiser of the parameters that train now."""
    settings = plan.settings.training
    return torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=float(settings.learning_rate or 0),
        weight_decay=settings.weight_decay,
    )
