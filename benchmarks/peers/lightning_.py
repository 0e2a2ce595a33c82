"""Lightning: a module with a training step, and a Trainer."""

import time
import warnings

from benchmarks.peers import same  # before Lightning, which imports torchvision

# isort: split
import lightning as L
import torch
from torch.nn import functional as F

from benchmarks.harness import report

warnings.filterwarnings("ignore", ".*does not have many workers.*")


class LitNet(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = same.Net()

    def training_step(self, batch):
        inputs, labels = batch
        loss = F.cross_entropy(self.net(inputs), labels)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


trainloader = same.loader()
model = LitNet()
trainer = L.Trainer(
    max_epochs=same.EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False
)

begun = same.clock()
trainer.fit(model, trainloader)
seconds = time.perf_counter() - begun

report(seconds, samples=same.seen(), accuracy=same.accuracy(model.net), versions=same.versions("lightning"))
