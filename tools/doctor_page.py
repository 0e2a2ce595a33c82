"""Keeps the table of faults in docs/doctor.md: each fault, the rule that asks for it, or why there is none.

Run `python -m tools.doctor_page` to write the table, with `--check` to hear whether it is current.
"""

import sys
from pathlib import Path

from firstlight.doctor.rules import all_rules

PAGE = Path(__file__).parents[1] / "docs" / "doctor.md"
BEGIN, END = "<!-- table: python -m tools.doctor_page -->", "<!-- end of table -->"

FAULTS = {
    "D01": "Labels shuffled apart from inputs",
    "D02": "Labels off by one / merged / out of range",
    "D03": "Label dtype/one-hot misuse",
    "D04": "Inputs not scaled",
    "D05": "Scaled twice",
    "D06": "Train and eval preprocessed differently",
    "D07": "Wrong normalisation statistics",
    "D08": "Channel order / HWC as CHW",
    "D09": "uint8 overflow / integer division",
    "D10": "NaN/Inf in inputs or targets",
    "D11": "Constant or blank inputs / features",
    "D12": "Class-sorted data without shuffle",
    "D13": "Same batch every step",
    "D14": "Train/test leakage by duplicates",
    "D15": "Preprocessing fitted on all data",
    "D16": "Target among the features",
    "D17": "Class imbalance ignored",
    "D18": "Augmenting the test set",
    "D19": "Augmentation that destroys labels / too strong",
    "D20": "Identical randomness across workers or epochs",
    "D21": "Dataset returns the same item / ignores idx",
    "D22": "Dataset mutates stored data",
    "D23": "Loader yields nothing / drops the tail",
    "D24": "Last batch of size 1 squeezed",
    "D25": "Inputs and targets swapped / wrong column",
    "D26": "Labels as strings/float categories rounded",
    "M01": "Softmax before CrossEntropyLoss",
    "M02": "log_softmax before CE",
    "M03": "Sigmoid before CE",
    "M04": "Sigmoid before BCEWithLogitsLoss",
    "M05": "Logits into BCELoss / NLLLoss",
    "M06": "Softmax over the batch dimension",
    "M07": "ReLU (or other clamp) on the logits",
    "M08": "Output width wrong",
    "M09": "No nonlinearity anywhere",
    "M10": "Layers in a Python list/dict",
    "M11": "Layer or Parameter created inside forward",
    "M12": "Layer defined but never called",
    "M13": "Graph cut",
    "M14": "In-place change that breaks autograd",
    "M15": "Everything (or the wrong part) frozen",
    "M16": "Zero/constant initialisation",
    "M17": "Initialisation far too large",
    "M18": "Dead ReLU layer",
    "M19": "BatchNorm with batch size 1",
    "M20": "Dropout too large or p misread as keep probability",
    "M21": "Functional dropout always on",
    "M22": "view/reshape/flatten mixing samples",
    "M23": "batch_first mix-up in RNN/attention",
    "M24": "Hidden state kept across batches",
    "M25": "Vanishing through saturating depth",
    "M26": "bias=False everywhere / last bias forgotten",
    "M27": "Broadcasting (N,1) vs (N,) in MSE/L1/Huber/BCE-like arithmetic",
    "M28": "Shared module reused where two were meant",
    "M29": "model.forward(x) called directly",
    "M30": "Pretrained weights not actually loaded",
    "M31": "Wrong loss for the task",
    "M32": "Loss reduction 'sum' with LR meant for mean",
    "M33": "Class weights/ignore_index wrong",
    "M34": "Residual inputs unused",
    "M35": "Model in half precision by accident / float64 by numpy",
    "L01": "Missing zero_grad",
    "L02": "zero_grad between backward and step",
    "L03": "No optimizer.step()",
    "L04": "No backward()",
    "L05": "Optimizer built before the head was replaced / before layers were added",
    "L06": "Optimizer over another model or a stale copy",
    "L07": "Loss re-wrapped or .item() before backward",
    "L08": "Accumulating loss tensors",
    "L09": "retain_graph=True every step without need",
    "L10": "Training in eval mode",
    "L11": "Never back to train after validation",
    "L12": "Scheduler stepped before optimizer",
    "L13": "Scheduler at the wrong cadence",
    "L14": "Learning rate too high",
    "L15": "Learning rate too low",
    "L16": "Momentum/β misuse",
    "L17": "Weight decay too large",
    "L18": "Exploding gradient / divergence",
    "L19": "NaN loss: log 0, sqrt 0, 0/0, exp overflow, fp16",
    "L20": "Clipping before backward",
    "L21": "Gradient accumulation errors",
    "L22": "Loss sign wrong",
    "L23": "Backward/step outside the batch loop (indentation)",
    "L24": "Optimizer re-created each epoch/step",
    "L25": "Model re-created each epoch / wrong variable trained",
    "L26": "Best checkpoint aliases live weights",
    "L27": "Early stopping/best model on training loss or wrong direction",
    "L28": "Zero epochs/batches or loop over exhausted generator",
    "L29": "Arguments swapped: criterion(y, out)",
    "L30": "Stale variable used in loss",
    "L31": "Multiple forwards, gradient from the wrong one",
    "L32": "AMP misuse",
    "L33": "DataParallel/DDP raw module called",
    "L34": "LBFGS/closure optimizers stepped without closure",
    "L35": "Detached or constant auxiliary loss",
    "E01": "Evaluating on the training set",
    "E02": "Evaluating in train mode",
    "E03": "No no_grad",
    "E04": "Metric from last batch only",
    "E05": "argmax over the wrong dim",
    "E06": "(N,1)==(N,) makes N×N",
    "E07": "Threshold on logits / argmax on one column",
    "E08": "Mean of unequal batch means",
    "E09": "Accuracy divided by number of batches or by dataset instead of loader",
    "E10": "Model selection on the test set",
    "E11": "Below the majority baseline",
    "E12": "Predictions collapsed to one class",
    "E13": "Random transforms/dropout at eval",
    "E14": "Loading for inference without eval()/with wrong architecture",
    "E15": "Validation loss includes regulariser or different reduction",
    "E16": "Train loss (moving weights, dropout) compared with eval loss",
    "R01": "Loader starves the model",
    "R02": ".item()/print/.cpu() every step on GPU",
    "R03": "Workers in notebooks",
    "R04": "Too many workers",
    "R05": "No pin_memory / non_blocking",
    "R06": "Memory growth",
    "R07": "Accelerator present, model on CPU",
    "R08": "Python loop over samples",
    "R09": "Figures never closed in the loop",
    "R10": "Anomaly detection left on",
    "R11": "Timing GPU code without synchronize",
    "R12": "float64 by accident",
    "R13": ".to(device) of the whole dataset/model inside the loop",
    "R14": "Evaluation every step, or the full test set every batch",
    "P01": "No seed",
    "P02": "Seed reset inside the loop",
    "P03": "Device mismatch",
    "P04": "Stale notebook objects",
    "P05": "Re-run training cell continues training",
    "P06": "Re-run split cell leaks test rows",
    "P07": "Name shadowing",
    "P08": "Saving whole objects / loading without map_location / forgetting optimizer state",
    "P09": "Non-deterministic ops assumed deterministic",
}
WHY_NOT = {
    "E13": "its causes are asked for as M21 and D18",
    "R02": "costs time on an accelerator only",
    "R05": "costs time on an accelerator only",
    "R07": "needs an accelerator",
}


def table() -> str:
    """The table as Markdown."""
    rules = {rule.code: rule for rule in all_rules()}
    lines = ["| fault | | voice | the question, or why there is none |", "|---|---|---|---|"]
    for code, name in FAULTS.items():
        rule = rules.get(code)
        said = f"{rule.voice} | {rule.question}" if rule is not None else f"| not asked: {WHY_NOT.get(code, '?')}"
        lines.append(f"| {code} | {name} | {said} |")
    for code in sorted(rules.keys() - FAULTS.keys()):
        lines.append(
            f"| {code} | {rules[code].name.replace('-', ' ')} | {rules[code].voice} | {rules[code].question} |"
        )
    asked = len(rules.keys() & FAULTS.keys())
    more = ", ".join(sorted(rules.keys() - FAULTS.keys()))
    said = f"{asked} of {len(FAULTS)} faults are asked for" + (f", and {more} beyond the catalogue." if more else ".")
    return "\n".join([said, "", *lines])


def page() -> str:
    """The whole page with the table as it should be."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Write the page, or say whether it is current."""
    if "?" in {WHY_NOT.get(code, "?") for code in FAULTS.keys() - {rule.code for rule in all_rules()}}:
        missing = sorted(FAULTS.keys() - {rule.code for rule in all_rules()} - WHY_NOT.keys())
        print("No rule and no reason:", ", ".join(missing))
        return 1
    if "--check" in sys.argv:
        if PAGE.read_text(encoding="utf-8") == page():
            return 0
        print("docs/doctor.md: the table is old: python -m tools.doctor_page")
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
